package interop

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// alone are curl's arguments that keep whoever runs the tests, who may have a
// .curlrc and a proxy, out of them.
var alone = []string{"--disable", "--noproxy", "*", "--silent", "--show-error"}

// curl runs curl against the server and returns the status, what the header
// fields are that were asked for, and the body.
func curl(t *testing.T, url string, args ...string) string {
	t.Helper()
	args = slices.Concat(alone, []string{"--write-out", `%{stderr}%{http_code} %header{content-type}`}, args, []string{url})
	cmd := exec.CommandContext(t.Context(), "curl", args...)
	var status strings.Builder
	cmd.Stderr = &status
	body, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl %q: %v\n%s", args, err, &status)
	}
	return strings.TrimSpace(status.String() + "\n" + string(body))
}

func TestCurl(t *testing.T) {
	b, tp := serveHTTP(t)
	url := "http://" + tp.addr
	asJSON := []string{"--header", "Content-Type: application/json", "--data"}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a call", append(asJSON, `{"jsonrpc":"2.0","id":1,"method":"calc_add","params":{"a":20,"b":22}}`),
			"200 application/json\n" + `{"jsonrpc":"2.0","id":1,"result":42}`},
		{"an id that is echoed", append(asJSON, `{"jsonrpc":"2.0","id":12345678901234567890.5e0,"method":"calc_add","params":[1,2]}`),
			"200 application/json\n" + `{"jsonrpc":"2.0","id":12345678901234567890.5e0,"result":3}`},
		{"an error", append(asJSON, `{"jsonrpc":"2.0","id":"x","method":"calc_fail","params":[77,"why"]}`),
			"200 application/json\n" + `{"jsonrpc":"2.0","id":"x","error":{"code":77,"message":"failed as asked","data":{"detail":"why"}}}`},
		{"a notification", append(asJSON, `{"jsonrpc":"2.0","method":"calc_note","params":["noted"]}`),
			"204"},
		{"a batch", append(asJSON, `[{"jsonrpc":"2.0","id":1,"method":"calc_add","params":[1,2]}, {"foo":"boo"}, {"jsonrpc":"2.0","method":"calc_note","params":["noted"]}]`),
			"200 application/json\n" + `[{"jsonrpc":"2.0","id":1,"result":3},{"jsonrpc":"2.0","id":null,"error":{"code":-32600,`},
		{"a batch of notifications", append(asJSON, `[{"jsonrpc":"2.0","method":"calc_note","params":["noted"]}]`),
			"204"},
		{"an empty batch", append(asJSON, `[]`),
			"200 application/json\n" + `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,`},
		{"no JSON", append(asJSON, `{"jsonrpc":`),
			"200 application/json\n" + `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,`},
		{"a stream", append(asJSON, `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}`),
			"200 application/json\n" + `{"jsonrpc":"2.0","id":1,"error":{"code":-32009,`},
		{"curl's own content type", []string{"--data", `{"jsonrpc":"2.0","id":1,"method":"calc_add","params":[1,2]}`},
			"415 text/plain; charset=utf-8\nContent-Type must be application/json"},
		{"a GET", nil,
			"426 text/plain; charset=utf-8\nwant a WebSocket handshake or a POST of JSON-RPC"},
		{"a PUT", []string{"--request", "PUT", "--data", "{}"},
			"405 text/plain; charset=utf-8\nwant a WebSocket handshake or a POST of JSON-RPC"},
		{"a HEAD", []string{"--head", "--output", "/dev/null"},
			"405 text/plain; charset=utf-8"},
	} {
		if got := curl(t, url, c.args...); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
	for range 3 {
		if note := <-b.notes; note != "noted" {
			t.Error(note)
		}
	}
}

// A body over the limit is refused whether curl says its size or not.
func TestCurlTooLarge(t *testing.T) {
	_, tp := serveHTTP(t)
	for _, how := range []string{"Expect:", "Transfer-Encoding: chunked"} {
		cmd := exec.CommandContext(t.Context(), "curl", slices.Concat(alone, []string{"--output", "/dev/null", "--write-out", "%{http_code}",
			"--header", how, "--header", "Content-Type: application/json", "--data-binary", "@-", "http://" + tp.addr})...)
		cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"calc_note","params":["` + strings.Repeat("x", 2<<20) + `"]}`)
		status, err := cmd.Output()
		if err != nil || string(status) != "413" {
			t.Errorf("%s: %s, %v", how, status, err)
		}
	}
}
