package main

import (
	"bytes"
	"strings"
	"testing"
)

// Every client does its work, and the report has a line for each.
func TestReport(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, 0.05, 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		if !strings.Contains(out.String(), "| "+c.name+" | ") {
			t.Errorf("no line for %s:\n%s", c.name, out.String())
		}
	}
}

func TestWhole(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 999.4: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := whole(x); got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
}
