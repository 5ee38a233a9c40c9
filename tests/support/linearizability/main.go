// Says whether a history of sets and gets, read from standard input, could be that of registers that
// do each at one instant between its call and its return (porcupine checks it). A line is a JSON
// object. Exit codes: 0 it could, 1 it could not, 2 it cannot be read, 3 not decided in time.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

type operation struct {
	Client int    `json:"client"`
	Key    string `json:"key"`
	IsSet  bool   `json:"is_set"`
	// Of a set what is written, of a get what was read.
	Value string `json:"value"`
	// Nanoseconds of one clock; a return of 0 says that it may have happened at any time after its call, or never.
	Call   int64 `json:"call"`
	Return int64 `json:"return"`
}

const patience = 5 * time.Minute

var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, one := range history {
			key := one.Input.(operation).Key
			byKey[key] = append(byKey[key], one)
		}
		parts := make([][]porcupine.Operation, 0, len(byKey))
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		one := input.(operation)
		if one.IsSet {
			return true, one.Value
		}
		return output.(string) == state.(string), state
	},
	Equal: func(one, other any) bool { return one.(string) == other.(string) },
}

func read() ([]porcupine.Operation, error) {
	history := []porcupine.Operation{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var one operation
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, err
		}
		end := one.Return
		if end == 0 {
			end = math.MaxInt64
		}
		history = append(history, porcupine.Operation{
			ClientId: one.Client, Input: one, Call: one.Call, Output: one.Value, Return: end,
		})
	}
	return history, lines.Err()
}

func main() {
	history, err := read()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	result := porcupine.CheckOperationsTimeout(registers, history, patience)
	fmt.Printf("%d operations: %s\n", len(history), result)
	switch result {
	case porcupine.Illegal:
		os.Exit(1)
	case porcupine.Unknown:
		os.Exit(3)
	}
}
