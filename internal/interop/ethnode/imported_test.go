//go:build node

package ethnode

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// program calls a node by the contract that wirecall import makes of Ethereum's published
// description, and prints what it gets.
const program = `package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"example.com/program/eth"
	"github.com/wirecall/wirecall/rpc"
)

func main() {
	ctx := context.Background()
	conn, err := rpc.Dial(ctx, os.Args[1], nil)
	check(err)
	defer conn.Close()
	c := eth.NewEthClient(conn)
	address, hash := eth.Address(os.Args[2]), eth.Hash32(os.Args[3])
	var out struct {
		Number, Chain, Balance eth.Uint
		Block, Missing         *eth.Block
		Tx                     *eth.TransactionInfo
		Receipt                *eth.ReceiptInfo
		Returned               eth.Bytes
		Code                   rpc.Code
	}
	out.Number, err = c.BlockNumber(ctx)
	check(err)
	out.Chain, err = c.ChainID(ctx)
	check(err)
	out.Balance, err = c.GetBalance(ctx, address, "latest")
	check(err)
	out.Block, err = c.GetBlockByNumber(ctx, "latest", true)
	check(err)
	out.Missing, err = c.GetBlockByNumber(ctx, "0xffff", false)
	check(err)
	out.Tx, err = c.GetTransactionByHash(ctx, hash)
	check(err)
	out.Receipt, err = c.GetTransactionReceipt(ctx, hash)
	check(err)
	out.Returned, err = c.Call(ctx, eth.GenericTransaction{Input: new(eth.Bytes("` + returns42 + `"))}, nil)
	check(err)
	_, err = c.Call(ctx, eth.GenericTransaction{Input: new(eth.Bytes("` + reverts42 + `"))}, nil)
	out.Code = rpc.CodeOf(err)
	text, err := json.Marshal(out)
	check(err)
	fmt.Println(string(text))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

// The calls of the imported contract agree with what go-ethereum's own client says.
func TestImported(t *testing.T) {
	command(t, ".", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	c, ctx := start(t), t.Context()
	c.send(&common.Address{7}, nil)
	block, err := c.Client().BlockByNumber(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	from, tx := crypto.PubkeyToAddress(c.key.PublicKey), block.Transactions()[0]
	balance, err := c.Client().BalanceAt(ctx, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := imported(t)
	out := command(t, dir, "go", "run", ".", "unix://"+c.socket.RemoteAddr().String(), from.Hex(), tx.Hash().Hex())
	var got struct {
		Number, Chain, Balance, Returned string
		Block, Missing                   *struct{ Hash, Number, StateRoot string }
		Tx                               *struct{ Hash, From, To string }
		Receipt                          *struct{ BlockHash, GasUsed string }
		Code                             int
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tt := range [][3]string{
		{"number", got.Number, hexutil.EncodeBig(block.Number())},
		{"chain", got.Chain, hexutil.EncodeBig(big.NewInt(1337))},
		{"balance", got.Balance, hexutil.EncodeBig(balance)},
		{"block", got.Block.Hash, block.Hash().Hex()},
		{"root", got.Block.StateRoot, block.Root().Hex()},
		{"transaction", got.Tx.Hash, tx.Hash().Hex()},
		{"from", got.Tx.From, strings.ToLower(from.Hex())},
		{"to", got.Tx.To, strings.ToLower(tx.To().Hex())},
		{"receipt", got.Receipt.BlockHash, block.Hash().Hex()},
		{"gas", got.Receipt.GasUsed, hexutil.EncodeUint64(block.GasUsed())},
		{"returned", got.Returned, "0x" + strings.Repeat("0", 62) + "2a"},
		{"missing", fmt.Sprint(got.Missing == nil), "true"},
		{"code of a revert", fmt.Sprint(got.Code), "3"},
	} {
		if tt[1] != tt[2] {
			t.Errorf("%s: got %s, want %s", tt[0], tt[1], tt[2])
		}
	}
}

// imported makes a module of the program and the imported contract.
func imported(t *testing.T) (dir string) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	document, err := filepath.Abs("node_modules/@metamask/api-specs/dist/build/openrpc.json")
	if err != nil {
		t.Fatal(err)
	}
	wirecall := filepath.Join(dir, "wirecall.exe")
	command(t, root, "go", "build", "-o", wirecall, "./cmd/wirecall")
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(mod), "module github.com/wirecall/wirecall", "module example.com/program", 1) +
		fmt.Sprintf("\nrequire github.com/wirecall/wirecall v0.0.0\n\nreplace github.com/wirecall/wirecall => %q\n", root)
	for name, data := range map[string]string{"go.mod": text, "go.sum": string(sum), "main.go": program} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	command(t, dir, wirecall, "import", "-o", "eth/eth.go", document)
	command(t, dir, wirecall, "import", "-check", "-o", "eth/eth.go", document)
	command(t, dir, wirecall, "gen", "./eth")
	command(t, dir, "go", "vet", "./...")
	contract, err := os.ReadFile(filepath.Join(dir, "eth", "eth.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"//wirecall:service names=eth_methodName\n//wirecall:params position\ntype Eth interface {",
		"\tGetBlockByNumber(ctx context.Context, block BlockNumberOrTag, hydratedTransactions bool) (*Block, error)\n",
		"\tCall(ctx context.Context, transaction GenericTransaction, block *BlockNumberOrTagOrHash) (Bytes, error)\n",
		"\t//wirecall:param type_ name=type\n\t//wirecall:params name omitempty=options\n",
	} {
		if !strings.Contains(string(contract), want) {
			t.Errorf("there is no %s in\n%s", want, contract)
		}
	}
	return dir
}

// command runs a command, which must succeed, and returns its output.
func command(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(os.Environ()), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", args, err, out, errs.String())
	}
	return out
}
