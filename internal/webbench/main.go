// Command webbench measures wirecall's TypeScript client beside others that a page could
// use: how large they are, and what they do in Node.
//
//	npm ci && go run . >../../docs/bench/browser.md
//
// All are bundled and minified by esbuild, each with only what a client of two methods
// needs, and compressed with gzip. Client and server are two processes. The server of
// wirecall is Go's, those of the others are their own, in Node, so that the rates are
// what a user of each has, not what the clients alone can do: for that there is the CPU time
// of the client's process.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	esbuild "github.com/evanw/esbuild/pkg/api"

	"github.com/wirecall/wirecall/internal/webbench/api"
	"github.com/wirecall/wirecall/rpc"
)

// clients are the files of js/clients. Only those that run are measured for speed.
var clients = []struct {
	name, about string
	runs        bool
}{
	{"wirecall", "this one: sessions, credit, streams both ways, calls back", true},
	{"graphql-ws", "queries and subscriptions of GraphQL", true},
	{"trpc", "tRPC's wsLink", true},
	{"capnweb", "Cap'n Web", true},
	{"signalr", "@microsoft/signalr", false},
	{"centrifuge", "centrifuge-js, JSON", false},
	{"connect-web", "Connect over fetch, Protocol Buffers", false},
}

func main() {
	seconds := flag.Float64("seconds", 2, "how long each figure is measured")
	rounds := flag.Int("rounds", 3, "how often; the median is printed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *seconds, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "webbench:", err)
		os.Exit(1)
	}
}

// A result is what one client is and does.
type result struct {
	name, about    string
	minified, gzip int
	runs           []figures
}

// figures are those of one run.
type figures struct {
	One, Hundred, Stream float64 // calls and items a second
	Call, Item           float64 // microseconds of the client's CPU time
	Memory               float64 // megabytes
}

func run(ctx context.Context, w io.Writer, seconds float64, rounds int) error {
	dir, err := os.MkdirTemp("", "webbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var all []*result
	for _, c := range clients {
		code, err := bundle(`export * from "./js/clients/`+c.name+`.ts"`, c.name, true)
		if err != nil {
			return err
		}
		all = append(all, &result{name: c.name, about: c.about, minified: len(code), gzip: compressed(code)})
	}
	for range rounds {
		for i, c := range clients {
			if !c.runs {
				continue
			}
			f, err := measure(ctx, dir, c.name, seconds)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			all[i].runs = append(all[i].runs, f)
		}
	}
	return report(w, all, seconds, rounds)
}

// bundle bundles a module, for a browser or for Node.
func bundle(source, client string, browser bool) ([]byte, error) {
	platform := esbuild.PlatformNode
	if browser {
		platform = esbuild.PlatformBrowser
	}
	r := esbuild.Build(esbuild.BuildOptions{
		Stdin:  &esbuild.StdinOptions{Contents: source, ResolveDir: ".", Loader: esbuild.LoaderTS},
		Bundle: true, MinifyWhitespace: browser, MinifyIdentifiers: browser, MinifySyntax: browser,
		Platform: platform, Format: esbuild.FormatESModule, Target: esbuild.ES2022, TreeShaking: esbuild.TreeShakingTrue,
		Alias:  map[string]string{"client": "./js/clients/" + client + ".ts"},
		Banner: map[string]string{"js": nodeBanner(browser)},
	})
	if len(r.Errors) > 0 {
		return nil, errors.New(strings.Join(esbuild.FormatMessages(r.Errors, esbuild.FormatMessagesOptions{}), "\n"))
	}
	return r.OutputFiles[0].Contents, nil
}

// nodeBanner gives modules of Node the require that some packages call.
func nodeBanner(browser bool) string {
	if browser {
		return ""
	}
	return `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`
}

func compressed(code []byte) int {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	z.Write(code)
	z.Close()
	return b.Len()
}

// measure runs one client against its server, in bounded time.
func measure(ctx context.Context, dir, name string, seconds float64) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration((60+10*seconds)*float64(time.Second)))
	defer cancel()
	script, err := write(dir, name+".mjs", "./js/measure.ts", name)
	if err != nil {
		return f, err
	}
	url, stop, err := serve(ctx, dir, name)
	if err != nil {
		return f, err
	}
	defer stop()
	out, err := nodeCommand(ctx, "--expose-gc", script, url, fmt.Sprint(seconds)).Output()
	if err != nil {
		return f, cmp.Or(ctx.Err(), err)
	}
	return f, json.Unmarshal(out, &f)
}

// write bundles a module for Node into a file.
func write(dir, file, module, client string) (string, error) {
	code, err := bundle(`import "`+module+`"`, client, false)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, file)
	return path, os.WriteFile(path, code, 0o600)
}

// serve starts the server of a client.
func serve(ctx context.Context, dir, name string) (url string, stop func(), err error) {
	if name == "wirecall" {
		srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Origins: []string{"*"}})
		srv.Register(api.BenchService(api.Service{}))
		hs := httptest.NewServer(srv)
		return "ws" + strings.TrimPrefix(hs.URL, "http"), func() { srv.Close(); hs.Close() }, nil
	}
	script, err := write(dir, "server.mjs", "./js/server.ts", name)
	if err != nil {
		return "", nil, err
	}
	cmd := nodeCommand(ctx, script, name)
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close()
		cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the server did not start: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

// nodeCommand runs a script until ctx ends. Libraries leave out what they do for development.
func nodeCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, node(), args...)
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	cmd.Stderr = os.Stderr
	return cmd
}

// node is the Node of package.json.
func node() string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return filepath.Join("node_modules", "node-linux-"+arch, "bin", "node")
}
