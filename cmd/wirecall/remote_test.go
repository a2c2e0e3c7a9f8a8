package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/rpc"
)

// itself, as a document, has a server describe itself.
var itself = []byte{}

// description is what a server of the chat says of itself.
func description(t *testing.T) []byte {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), serveChat(t, itself), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	document, err := dynamic.Document(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// discoverMethod is a method rpc.discover that answers with a document.
func discoverMethod(document []byte) *rpc.Method {
	return &rpc.Method{Name: "rpc.discover", New: func() (any, any) { return nil, new(json.RawMessage) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*json.RawMessage) = document
			return nil
		}}
}

// serveChat serves a chat and returns its URL. With a document it is described by that.
func serveChat(t *testing.T, document []byte) string {
	t.Helper()
	describe := document != nil && len(document) == 0
	srv := rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}, Sessions: &rpc.SessionOptions{}, Describe: describe})
	srv.Register(chat.RoomService(chat.InMemory()))
	if document != nil && !describe {
		srv.Register(rpc.Service{Name: "rpc", Methods: []*rpc.Method{discoverMethod(document)}})
	}
	hs := httptest.NewServer(srv)
	t.Cleanup(func() {
		srv.Close()
		hs.Close()
	})
	return "ws" + strings.TrimPrefix(hs.URL, "http")
}

// A shell runs commands in a folder of its own.
type shell struct {
	*testing.T
	url string // what $URL means
	dir string
}

// run runs a command, whose arguments have spaces between them, or ' around them.
func (sh *shell) run(ctx context.Context, line, stdin string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	var args []string
	for _, m := range regexp.MustCompile(`[^\s']*'[^']*'|[^\s']+`).FindAllString(line, -1) {
		args = append(args, strings.ReplaceAll(strings.ReplaceAll(m, "'", ""), "$URL", sh.url))
	}
	s := &session{args: args, dir: sh.dir, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, interrupted: ctx}
	status = run(ctx, s)
	return out.String(), errs.String(), status
}

// matches reports whether text is want, in which … stands for anything.
func matches(want, text string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*?")
	return regexp.MustCompile(`(?s)^` + pattern + `$`).MatchString(text)
}

// TestRemoteAliases gives a parameter by an older name, which the description has as an alias.
func TestRemoteAliases(t *testing.T) {
	aliased := bytes.Replace(description(t), []byte(`"x-wirecall":{"service":"Room",`), []byte(`"x-wirecall":{"service":"Room","aliases":{"params":{"author":["poster","by"]}},`), 1)
	aliased = bytes.Replace(aliased, []byte(`"name":"after","required":true,"schema":{`), []byte(`"name":"after","required":true,"schema":{"description":"The id of a message.",`), 1)
	sh := newShell(t, aliased)
	for _, c := range []remoteCase{
		{line: "call $URL Room.Post by=Ann text=hello", stdout: ann, stderr: "wirecall: the parameter by is called author now\n"},
		{line: "call $URL Room.Post poster=Ann author=Bob text=hello", status: 2, stderr: "…wirecall: the parameter author is given twice\n"},
		{line: "describe $URL Room.Messages", stdout: "…\nafter: The id of a message.\n…"},
		{line: "watch $URL Room.Messages after=now", status: 2, stderr: "wirecall: the parameter after: want integer, have the text \"now\": The id of a message.\n"},
		{line: "describe $URL Room.Post", stdout: "Room.Post(author string, text string) chat.Message\n…\n    The parameter author may also be called poster or by.\n…"},
	} {
		sh.check(c)
	}
}

// A remoteCase is a command and what comes of it. In stdout and stderr … stands for
// anything.
type remoteCase struct {
	line, stdin    string
	stdout, stderr string
	status         int
}

const ann = `{"id":…,"author":"Ann","text":"hello","time":"…"}` + "\n"

// cases hold with a description and without one.
var cases = []remoteCase{
	{line: "call $URL Room.Post author=Ann text=hello", stdout: ann},
	{line: "call $URL Room.Post text=hello author=Ann", stdout: ann},
	{line: `call $URL Room.Post author:='"Ann"' text=@hello.txt`, stdout: ann},
	{line: "call $URL Room.Post author=Ann text=@-", stdin: "hello", stdout: ann},
	{line: `call -params '["Ann","hello"]' $URL Room.Post`, stdout: ann},
	{line: `call -params '{"author":"Ann","text":"hello"}' $URL Room.Post`, stdout: ann},
	{line: "call -params @params.json $URL Room.Post", stdout: ann},
	{line: "call -cbor $URL Room.Post author=Ann text=hello", stdout: `{"author":"Ann","id":…,"text":"hello","time":"…"}` + "\n"},
	{line: "call -meta trace=7 -H 'X-Trace: 7' $URL Room.Post author=Ann text=hello", stdout: ann},
	{line: "call -time $URL Room.Post author=Ann text=hello", stdout: ann, stderr: "connected after …done after …s\n"},
	{line: "call $URL Room.Import messages@items.jsonl", stdout: "2\n"},
	{line: "call $URL Room.Import messages@-", stdin: "\n" + `{"author":"Bob","text":"1"}` + "\n\n" + `{"author":"Bob","text":"2"}`, stdout: "2\n"},
	{line: "call $URL Room.Typing author=Ann -notify"},
	{line: "watch -n 2 $URL Room.Messages after:=0", stdout: ann + ann},
	{line: "watch -n 1 -cursor after=id $URL Room.Messages after:=0", stdout: ann},
	{line: "watch -timeout 50ms $URL Room.Messages after:=14", status: exitTimeout,
		stderr: "wirecall: Room.Messages has not come back within 50ms, and has been cancelled\n"},

	{line: "call $URL Room.Import messages@broken.jsonl", status: 1, stderr: "…broken.jsonl: line 2 is not JSON: \"not JSON\"…"},
	{line: "call $URL Room.Import messages@missing.jsonl", status: 2, stderr: "wirecall: open …missing.jsonl: no such file or directory\n"},
	{line: "call $URL Room.Post author:=Ann text=x", status: 2, stderr: "wirecall: the parameter author is not JSON: \"Ann\"; author=text is a string\n"},
	{line: "call $URL Room.Post author=Ann author=Bob", status: 2, stderr: "wirecall: the parameter author is given twice\n"},
	{line: "call $URL Room.Post Ann", status: 2, stderr: "wirecall: \"Ann\" is not a parameter: want name=text, …"},
	{line: "call $URL Room.Post =x", status: 2, stderr: "wirecall: \"=x\" is not a parameter: …"},
	{line: "call $URL Room.Post :=1", status: 2, stderr: "wirecall: \":=1\" is not a parameter: …"},
	{line: "call -params nonsense $URL Room.Post", status: 2, stderr: "wirecall: -params is not JSON: nonsense\n"},
	{line: "call -params [] $URL Room.Post author=Ann", status: 2, stderr: "wirecall: -params and \"author=Ann\" are both given\n"},
	{line: "call -meta trace $URL Room.Post", status: 2, stderr: "wirecall: -meta trace: want key=value\n"},
	{line: "call -H trace $URL Room.Post", status: 2, stderr: "wirecall: -header \"trace\": want 'Name: value'\n"},
	{line: "watch -cursor after $URL Room.Messages", status: 2, stderr: "wirecall: -cursor after: want param=member\n"},
	{line: "call -cert c.pem $URL Room.Post", status: 2, stderr: "wirecall: -cert and -key belong together\n"},
	{line: "call -cacert hello.txt $URL Room.Post", status: 2, stderr: "wirecall: -cacert: hello.txt holds no certificate\n"},
	{line: "call -nonsense $URL Room.Post", status: 2, stderr: "wirecall: flag provided but not defined: -nonsense; wirecall call -help has all flags\n"},
	{line: "call $URL", status: 2, stderr: "wirecall: want a URL and a method: wirecall call …"},
	{line: "call", status: 2, stderr: "wirecall: want a URL and a method: wirecall call …"},
	{line: "list", status: 2, stderr: "wirecall: want a URL: wirecall list …"},
	{line: "describe $URL", status: 2, stderr: "wirecall: want a URL and a method or a type: wirecall describe …"},
	{line: "call gopher://localhost Room.Post", status: exitUnreachable, stderr: "wirecall: gopher://localhost: …"},
	{line: "call -connect-timeout 1ns $URL Room.Post", status: exitUnreachable, stderr: "wirecall: ws://…"},
}

func (sh *shell) check(c remoteCase) {
	sh.Helper()
	stdout, stderr, status := sh.run(sh.Context(), c.line, c.stdin)
	if status != c.status || !matches(c.stdout, stdout) || !matches(c.stderr, stderr) {
		sh.Errorf("%s\nstatus %d, want %d\nstdout:\n%s\nwant:\n%s\nstderr:\n%s\nwant:\n%s", c.line, status, c.status, stdout, c.stdout, stderr, c.stderr)
	}
}

func newShell(t *testing.T, document []byte) *shell {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"hello.txt":    "hello",
		"params.json":  `["Ann", "hello"]`,
		"items.jsonl":  `{"author":"Bob","text":"1"}` + "\n" + `{"author":"Bob","text":"2"}` + "\n",
		"broken.jsonl": `{"author":"Bob","text":"1"}` + "\nnot JSON\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &shell{t, serveChat(t, document), dir}
}

func TestRemoteUndescribed(t *testing.T) {
	sh := newShell(t, nil)
	for _, c := range cases {
		sh.check(c)
	}
	post := shell{t, "http" + strings.TrimPrefix(sh.url, "ws"), sh.dir}
	for _, c := range []remoteCase{
		{line: "call -post $URL Room.Post author=Ann text=hello", stdout: ann},
		{line: "call -post -token secret -H 'X: y' -position $URL Room.Post author=Ann text=hello", stdout: ann},
		{line: "call -post $URL Room.Typing author=Ann -notify"},
		{line: "call -post $URL Room.Nothing", status: 1, stderr: "wirecall: Room.Nothing: method not found: Room.Nothing (code -32601)\n"},
		{line: "watch -post $URL Room.Messages after:=0", status: 1, stderr: "wirecall: Room.Messages: …"},
		{line: "call -post ws://localhost Room.Post", status: exitUnreachable, stderr: "wirecall: ws://localhost: …"},
	} {
		post.check(c)
	}
	const undescribed = "wirecall: the server does not describe itself: …ServerOptions.Describe. Call and watch work without\n"
	for _, c := range []remoteCase{
		{line: "call $URL Room.Nothing", status: 1, stderr: "wirecall: Room.Nothing: method not found: Room.Nothing (code -32601)\n"},
		{line: "list $URL", status: 1, stderr: undescribed},
		{line: "call $URL Room.Messages after=0", status: 1, stderr: "wirecall: name=text is a string here, as the server does not describe itself; name:=JSON is a number, a list or an object\nwirecall: Room.Messages: invalid params: …"},
		{line: "watch -plain -n 1 -subscription id=subscription $URL Room.Messages after:=0", stdout: ann},
		{line: "watch -plain $URL Room.Messages after:=0", status: 1, stderr: "wirecall: Room.Messages: the server speaks plain JSON-RPC: say with -subscription how it subscribes, such as -subscription ethereum\n"},
		{line: "watch -subscription nonsense $URL Room.Messages after:=0", status: 2, stderr: "wirecall: -subscription: want ethereum, substrate, …"},
		{line: "describe $URL Room.Post", status: 1, stderr: undescribed},
		{line: "call $URL Room.Post author=Ann text=" + strings.Repeat("x", 10_000), status: 1, stderr: "wirecall: Room.Post: …(chat.TooLong, code 1001)\n{…}\n"},
	} {
		sh.check(c)
	}
}

func TestRemoteDescribed(t *testing.T) {
	sh := newShell(t, itself)
	for _, c := range cases {
		sh.check(c)
	}
	for _, c := range []remoteCase{
		{line: "call -timeout 100ms $URL Room.Messages after=0", status: exitTimeout, stdout: ann + "…", stderr: "…has been cancelled\n"}, // text is converted, and the stream is known
		{line: "call -timeout 100ms $URL Room.Watch name=Zoe", status: exitTimeout, stdout: "now: {\"online\":[…\"Zoe\"…]}\n…", stderr: "…has been cancelled\n"},
		{line: "call $URL Room.Typing author=Ann"},
		{line: "watch -plain -n 1 $URL Room.Messages after:=0", stdout: ann},
		{line: "call $URL Room.Messages after=soon", status: 2, stderr: "wirecall: the parameter after: want integer, have the text \"soon\"\n"},
		{line: "call $URL Room.Post author=Ann txt=x", status: 2, stderr: "wirecall: there is no parameter txt: Room.Post(author string, text string) chat.Message\n"},
		{line: "call $URL Room.Post author=Ann", status: 2, stderr: "wirecall: the parameter text is missing: Room.Post(author string, text string) chat.Message\n"},
		{line: "call $URL Room.Import messages:=[]", status: 2, stderr: "wirecall: the parameter messages is a stream: give a file …"},
		{line: "call $URL Room.Post author@items.jsonl text=x", status: 2, stderr: "wirecall: the parameter author is no stream: …"},
		{line: "call $URL room.post", status: 1, stderr: "wirecall: the server has no method room.post; it has Room.Post\n"},
		{line: "call $URL Nothing", status: 1, stderr: "wirecall: the server has no method Nothing\n"},
		{line: "watch $URL Room.Watch name=Zoe", status: 1, stderr: "wirecall: Room.Watch has several results: wirecall call prints them, and the items of its streams\n"},
		{line: "watch $URL Room.Post author=Ann text=x", status: 1, stderr: "wirecall: Room.Post returns no stream: …"},
		{line: "list $URL Room.P", stdout: "Room.Post(author string, text string) chat.Message  # Post stores a message and returns it as stored.\n"},
		{line: "list $URL Room.Mess", stdout: "Room.Messages(after integer) stream of chat.Message  # Messages streams …\n"},
		{line: "list $URL Room.Watch", stdout: "Room.Watch(name string) (now chat.State, changes stream of chat.Delta)  # …\n"},
		{line: "describe $URL Room.Messages", stdout: "Room.Messages(after integer) stream of chat.Message\n\n    Messages streams …The stream goes on after a lost connection: after is the id of the last item.\n\nErrors:\n    chat.TooLong (code 1001)\n    chat.Forgotten (code 1002)\n"},
		{line: "describe $URL chat.State", stdout: "{\n  …\"online\"…}\n"},
		{line: "describe $URL Nothing", status: 1, stderr: "wirecall: the server has no method Nothing\n"},
		{line: "call $URL --generate-shell-completion", stdout: "…Room.Post\nRoom.Messages\n…"},
		{line: "call $URL Room.Messages --generate-shell-completion", stdout: "…after:=\n"},
		{line: "call $URL Room.Import --generate-shell-completion", stdout: "…messages@\n"},
	} {
		sh.check(c)
	}
}

// A document that is none, or a hostile one, is an error that says so.
func TestRemoteHostileDescriptions(t *testing.T) {
	for document, want := range map[string]string{
		`null`:                         "wirecall: …it is no OpenRPC document: it has no methods\n",
		`[]`:                           "wirecall: …it is no OpenRPC document: …",
		`{"methods":[null]}`:           "wirecall: …method 0 has no name\n",
		`{"methods":[{"name":5}]}`:     "wirecall: …it is no OpenRPC document: …",
		`{"methods":[{"name":"a.b"}]}`: "wirecall: the server has no method Room.Post\n",
		`{"methods":[{"name":"Room.Post","params":[null,{"name":"x","required":true,"schema":7}]}]}`: "wirecall: the parameter x is missing: Room.Post(x any)\n",
	} {
		sh := newShell(t, []byte(document))
		if _, stderr, status := sh.run(t.Context(), "call $URL Room.Post", ""); status == 0 || !matches(want, stderr) {
			t.Errorf("%s: status %d, %s", document, status, stderr)
		}
	}
}

// Ctrl-C cancels the call, on the other side as well, and the command says so.
func TestRemoteInterrupted(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	srv := rpc.NewServer(nil)
	srv.Register(rpc.Service{Name: "T", Methods: []*rpc.Method{{Name: "T.Wait", Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
		close(begun)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}}}})
	hs := httptest.NewServer(srv)
	defer hs.Close()
	defer srv.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-begun
		interrupt()
	}()
	sh := &shell{T: t, url: "ws" + strings.TrimPrefix(hs.URL, "http")}
	_, stderr, status := sh.run(ctx, "call $URL T.Wait", "")
	if status != exitInterrupted || stderr != "wirecall: interrupted; T.Wait has been cancelled\n" {
		t.Errorf("status %d, %s", status, stderr)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the handler still runs")
	}
}

// startChat starts the program that the docs say to start, on a free port, and returns the
// URL that it prints.
func startChat(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chat")
	build := exec.Command("go", "build", "-o", program, "./example/chat/cmd/chat")
	build.Dir = filepath.Join("..", "..")
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	cmd := exec.Command(program, "serve", "-addr", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`ws://[^,\s]+`).FindString(line)
	if url == "" {
		t.Fatalf("the chat says no URL: %s", line)
	}
	return url
}

// The terminal sessions of the docs are what a terminal shows that has the chat. In them …
// stands for anything.
func TestSessionsOfTheDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "command-line.md"))
	if err != nil {
		t.Fatal(err)
	}
	sh := &shell{t, startChat(t), t.TempDir()}
	sessions := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	ran := 0
	for _, m := range sessions {
		for _, step := range strings.Split("\n"+m[1], "\n$ ")[1:] {
			line, want, _ := strings.Cut(step, "\n")
			stdin, piped, ok := strings.Cut(line, "' | ")
			if stdin = strings.TrimPrefix(stdin, "echo '"); ok {
				line = piped
			}
			command, ok := strings.CutPrefix(line, "wirecall ")
			if !ok {
				continue // how to start the server, for example
			}
			ran++
			stdout, stderr, _ := sh.run(t.Context(), strings.ReplaceAll(command, "ws://localhost:8080/rpc", "$URL"), stdin+"\n")
			want, have := strings.TrimSpace(want), strings.TrimSpace(stdout+stderr)
			if strings.HasPrefix(command, "bench ") {
				want, have = withoutFigures(want), withoutFigures(have)
			}
			if !matches(want, have) {
				t.Errorf("$ %s\n%s\nwant:\n%s", line, stdout+stderr, want)
			}
		}
	}
	if ran < 8 {
		t.Errorf("%d commands ran", ran)
	}
}

// A program on whose standard input and output a server is: this test, started again.
func TestRemoteProgram(t *testing.T) {
	if os.Getenv("WIRECALL_TEST_SERVER") != "" {
		srv := rpc.NewServer(nil)
		srv.Register(chat.RoomService(chat.InMemory()))
		srv.ServeConn(t.Context(), struct {
			io.Reader
			io.WriteCloser
		}{os.Stdin, os.Stdout})
		os.Exit(0)
	}
	t.Setenv("WIRECALL_TEST_SERVER", "1")
	sh := newShell(t, nil)
	sh.url = "exec:" + os.Args[0] + " -test.run=^TestRemoteProgram$"
	for _, c := range []remoteCase{
		{line: "call '$URL' Room.Post author=Ann text=hello", stdout: ann},
		{line: "call -framing headers '$URL' Room.Post author=Ann text=hello", stdout: ann},
		{line: "call -framing headers -plain -position '$URL' Room.Post author=Ann text=hello", stdout: ann},
		{line: "call -framing nonsense '$URL' Room.Post", status: 2, stderr: "wirecall: -framing nonsense: want lines or headers\n"},
		{line: "call exec: Room.Post", status: exitUnreachable, stderr: "wirecall: exec:: exec: needs a program and its arguments\n"},
		{line: "call exec:/no/such/program Room.Post", status: exitUnreachable, stderr: "wirecall: exec:/no/such/program: …no such file or directory\n"},
	} {
		sh.check(c)
	}
}
