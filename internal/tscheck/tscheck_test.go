package tscheck

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var rounds = flag.Int("rounds", 30, "how many random values of each type are sent")

// TestTypes compiles the TypeScript of all cases, as strictly as the compiler can.
func TestTypes(t *testing.T) { open(t) }

// TestConverters runs the tests of the converters themselves.
func TestConverters(t *testing.T) {
	script(t, "testdata/values.test.mjs", "SCRIPTS="+open(t).out)
}

// TestRoundTrips sends random values of all types in the cases from Go to JavaScript and
// back. They are the same, or refused for an integer beyond 2^53.
func TestRoundTrips(t *testing.T) {
	cmd := driver(t, "-rounds", strconv.Itoa(*rounds))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(strings.TrimSpace(string(out)))
}

// FuzzConverters feeds JSON of any form to the converters of any type. What is of the type
// arrives as it was, and nothing else has an effect on the prototypes of objects.
func FuzzConverters(f *testing.F) {
	for _, text := range []string{`null`, `{}`, `[]`, `"x"`, `1.5`, `-0`, `9007199254740993`, `{"__proto__":{"__proto__":1}}`, `[null,{"id":"9223372036854775807"}]`, `{"constructor":{"prototype":{"x":1}}}`, "\"\xff\"", `[[[`} {
		for which := range uint(40) {
			f.Add(which, text)
		}
	}
	cmd := driver(f)
	in, err := cmd.StdinPipe()
	check(f, err)
	out, err := cmd.StdoutPipe()
	check(f, err)
	check(f, cmd.Start())
	f.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			f.Error(err)
		}
	})
	answers := bufio.NewReader(out)
	f.Fuzz(func(t *testing.T, which uint, text string) {
		if said := ask(t, in, answers, which, text); said != "" {
			t.Error(said)
		}
	})
}

// ask sends one line to the driver and returns its answer.
func ask(t *testing.T, in io.Writer, out *bufio.Reader, which uint, text string) (said string) {
	t.Helper()
	line, err := json.Marshal([]any{which, text})
	check(t, err)
	_, err = in.Write(append(line, '\n'))
	check(t, err)
	answer, err := out.ReadBytes('\n')
	check(t, err)
	check(t, json.Unmarshal(answer, &said))
	return said
}

// driver is the Go side of round trips, with the JavaScript side as its child.
func driver(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	w := open(t)
	peer, err := filepath.Abs("testdata/peer.mjs")
	check(t, err)
	return exec.Command(w.build(t), append(args, node(), peer, w.out)...)
}
