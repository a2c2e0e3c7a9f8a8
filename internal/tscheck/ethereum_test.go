package tscheck

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportOfEthereum imports Ethereum's published description. What comes out has a client
// generated, compiles, is the same each time, and has the signatures that one would write.
func TestImportOfEthereum(t *testing.T) {
	if err := install(); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	check(t, err)
	dir := t.TempDir()
	wirecall := filepath.Join(dir, "wirecall.exe")
	run(t, root, "go", "build", "-o", wirecall, "./cmd/wirecall")
	check(t, writeModule(dir, root))
	document, err := filepath.Abs("node_modules/@metamask/api-specs/dist/build/openrpc.json")
	check(t, err)
	check(t, os.Mkdir(filepath.Join(dir, "eth"), 0o777))
	out := filepath.Join(dir, "eth", "eth.go")
	run(t, dir, wirecall, "import", "-o", out, document)
	run(t, dir, wirecall, "import", "-check", "-o", out, document)
	run(t, dir, wirecall, "gen", "./eth")
	run(t, dir, "go", "vet", "./eth")
	text, err := os.ReadFile(out)
	check(t, err)
	for _, want := range []string{
		"//wirecall:service names=eth_methodName\n//wirecall:params position\ntype Eth interface {",
		"\tBlockNumber(ctx context.Context) (Uint, error)\n",
		"\tGetBlockByNumber(ctx context.Context, block BlockNumberOrTag, hydratedTransactions bool) (*Block, error)\n",
		"\tGetBalance(ctx context.Context, address Address, block BlockNumberOrTagOrHash) (Uint, error)\n",
		"\tCall(ctx context.Context, transaction GenericTransaction, block *BlockNumberOrTagOrHash) (Bytes, error)\n",
		"// wallet_watchAsset is left out: its parameter \"type\" is sent by name and is no identifier.\n",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
}

// run runs a command, which must succeed.
func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
