package relay_test

import (
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/relay"
)

func TestValidName(t *testing.T) {
	for name, valid := range map[string]bool{
		"a":                     true,
		"node-7_B":              true,
		strings.Repeat("n", 64): true,
		strings.Repeat("n", 65): false,
		"":                      false,
		"a.b":                   false,
		"a b":                   false,
		"é":                     false,
		"a\x00":                 false,
		"*":                     false,
		">":                     false,
		"/":                     false,
		"[":                     false,
	} {
		if relay.ValidName(name) != valid {
			t.Errorf("ValidName(%q) is %v", name, !valid)
		}
	}
}
