package browser

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// TestGoInWASI runs the tests of package wasip1 in a WASI host.
func TestGoInWASI(t *testing.T) {
	program, err := os.ReadFile(compileTests(t, "wasip1", "./wasip1"))
	check(t, err)
	host := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter()) // compiling takes longer than the tests
	defer host.Close(t.Context())
	wasi_snapshot_preview1.MustInstantiate(t.Context(), host)
	var out bytes.Buffer
	config := wazero.NewModuleConfig().WithArgs("tests", "-test.v").WithStdout(&out).WithStderr(&out).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep()
	_, err = host.InstantiateWithConfig(t.Context(), program, config)
	if err != nil || !strings.Contains(out.String(), "--- PASS") {
		t.Errorf("the tests have ended with %v\n%s", err, out.String())
	}
}
