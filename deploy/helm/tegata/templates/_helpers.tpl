{{- define "tegata.labels" -}}
app.kubernetes.io/name: tegata
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}
