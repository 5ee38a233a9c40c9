"""What a person is told who did not pass: what to do better, and never how near it was."""

from typing import Final

WORDS: Final = {
    "no_face": (
        "顔が見つかりません。顔全体をカメラに映してください。",
        "No face was seen. Bring your whole face before the camera.",
    ),
    "several_faces": (
        "二人以上の顔が映っています。お一人で行ってください。",
        "More than one face is in the picture. Be alone before the camera.",
    ),
    "face_too_small": (
        "顔が小さすぎます。カメラに近づいてください。",
        "Your face is too small. Come nearer to the camera.",
    ),
    "face_at_edge": (
        "顔が端に寄っています。枠の中央に合わせてください。",
        "Your face is at the edge. Bring it to the middle of the frame.",
    ),
    "too_dark": (
        "暗すぎます。明るい場所で、光を顔の正面から受けてください。",
        "It is too dark. Go where light falls on your face from the front.",
    ),
    "too_bright": (
        "明るすぎます。強い光や逆光を避けてください。",
        "It is too bright. Avoid strong light, and light from behind.",
    ),
    "blurred": (
        "画像がぶれています。端末を固定し、レンズを拭いてください。",
        "The picture is blurred. Hold the phone still, and wipe the lens.",
    ),
    "too_few_frames": (
        "画像が足りません。ほかのアプリを閉じて、もう一度お試しください。",
        "Too few pictures came. Close other apps, and try again.",
    ),
    "not_neutral_at_start": (
        "指示が出たら、まず正面を向いてから動いてください。",
        "When a prompt comes, first look straight ahead, then move.",
    ),
    "action_not_seen": (
        "指示どおりの動きが確認できませんでした。もう少し大きく、ゆっくり動いてください。",
        "The movement was not seen. Make it larger, and slowly.",
    ),
    "blink_not_seen": (
        "閉じた目が確認できません。眼鏡を外し、顔に均等に光を当て、両目をゆっくり閉じてください。",
        "Your eyes were not seen to close. Take off glasses, find even light, close both slowly.",
    ),
    "other_action_seen": (
        "別の動きが確認されました。指示された動きだけをしてください。",
        "Another movement was seen. Make only the one that is asked for.",
    ),
    "flat_face": (
        "立体的な顔が確認できませんでした。端末ではなく、ご自身の頭を動かしてください。",
        "No solid face was seen. Turn your own head, not the phone.",
    ),
    "face_changed": (
        "途中で顔が変わりました。同じ方がカメラの前にいてください。",
        "The face changed during the test. The same person must stay before the camera.",
    ),
    "face_jumped": (
        "顔の位置が急に変わりました。カメラの前から離れないでください。",
        "The face jumped. Stay before the camera.",
    ),
    "too_slow": (
        "カメラの画像が少なすぎます。ほかのアプリを閉じるか、明るい場所でお試しください。",
        "The camera gives too few pictures a second. Close other apps, or find more light.",
    ),
    "too_late": (
        "時間切れです。指示が出たらすぐに動いてください。",
        "That took too long. Follow each prompt at once.",
    ),
    "times_in_disorder": (
        "画像の時刻が正しくありません。端末のカメラで直接撮影してください。",
        "The pictures' times do not fit. Use the camera of this device itself.",
    ),
    "repeated_frames": (
        "同じ画像が繰り返されています。端末のカメラで直接撮影してください。",
        "The same pictures came again. Use the camera of this device itself.",
    ),
    "moved_too_fast": (
        "動きが速すぎます。ゆっくり動いてください。",
        "That was too fast. Move slowly.",
    ),
    "size_changed": (
        "画像の大きさが変わりました。端末の向きを変えないでください。",
        "The size of the pictures changed. Do not turn the device.",
    ),
    "screen_or_print": (
        "画面や印刷物の特徴が見られます。カメラの前に直接お立ちください。",
        "It looks like a screen or a print. Be before the camera yourself.",
    ),
    "suspected_deepfake": (
        "加工された映像の特徴が見られます。加工アプリやフィルターを切ってください。",
        "It looks like an altered picture. Turn off filters and apps that alter it.",
    ),
    "wrong_person": (
        "登録された顔写真と一致しませんでした。眼鏡やマスクを外し、明るい場所でお試しください。",
        "It is not the face of the registered portrait. Take off glasses and mask, in good light.",
    ),
    "unfit_portrait": (
        "登録された顔写真が照合に使えません。発行者の窓口にご相談ください。",
        "The registered portrait cannot be compared with. Ask the issuer's counter.",
    ),
    "prompts_missing": (
        "指示が最後まで確認できませんでした。もう一度お試しください。",
        "Not all prompts were followed. Try again.",
    ),
    "test_expired": (
        "制限時間を過ぎました。もう一度お試しください。",
        "The time of the test is over. Try again.",
    ),
}
"""Each reason in Japanese and English."""


def words_for(code: str) -> dict[str, str]:
    """Return what a person is told, by language."""
    japanese, english = WORDS[code]
    return {"ja": japanese, "en": english}
