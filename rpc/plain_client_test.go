package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// idOf is the id of a request, as it was written.
func idOf(t *testing.T, frame string) string {
	var m struct{ ID json.RawMessage }
	if err := json.Unmarshal([]byte(frame), &m); err != nil {
		t.Errorf("%s: %v", frame, err)
	}
	return string(m.ID)
}

// strangeAnswers are answers to rpc.hello of servers that do not know it.
var strangeAnswers = map[string]string{
	"method not found":  `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`,
	"another code":      `{"jsonrpc":"2.0","id":1,"error":{"code":0,"message":"invalid during initialization"}}`,
	"with data":         `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Invalid","data":{"a":[1]}},"result":null}`,
	"JSON-RPC 1.0":      `{"id":1,"result":null,"error":"rpc: service/method request ill-formed: rpc.hello"}`,
	"id as text":        `{"jsonrpc":"2.0","id":"1","error":{"code":-32601,"message":"Method not found"}}`,
	"a line feed":       `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}` + "\n",
	"white space":       "\r\n{\n\t\"jsonrpc\": \"2.0\",\n\t\"id\": 1,\n\t\"error\": {\"code\": -32601, \"message\": \"?\"}\n}\n",
	"neither":           `{"jsonrpc":"2.0","id":1}`,
	"null for an error": `{"jsonrpc":"2.0","id":1,"error":null}`,
	"no integer a code": `{"jsonrpc":"2.0","id":1,"error":{"code":"E_METHOD","message":"?"}}`,
	"id null":           `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}`,
	"no id":             `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"}}`,
	"result null":       `{"jsonrpc":"2.0","id":1,"result":null}`,
	"result true":       `{"jsonrpc":"2.0","id":1,"result":true}`,
	"another result":    `{"jsonrpc":"2.0","id":1,"result":{"status":"ok","calls":"all"}}`,
	"a version as text": `{"jsonrpc":"2.0","id":1,"result":{"v":"1.0.0"}}`,
	"an empty array":    `[]`,
	"a batch":           `[{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}]`,
	"no message":        `{"type":"welcome"}`,
	"a notification":    `{"jsonrpc":"2.0","method":"welcome","params":[1]}`,
}

// A server that echoes the subprotocol without knowing it is spoken to in plain
// JSON-RPC 2.0, one message a frame and with no members but its four.
func TestDialToStrangers(t *testing.T) {
	for name, answer := range strangeAnswers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &frameServer{reply: func(frame string) []string {
					if strings.Contains(frame, "rpc.hello") {
						return []string{answer}
					}
					return []string{fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":3}`, idOf(t, frame))}
				}}
				conn, err := s.dial(t, rpc.DialOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ctx = rpc.WithMetadata(ctx, map[string]string{"tenant": "a"})
				client := NewSubjectClient(conn)
				calls := make(chan error)
				for range 10 {
					go func() {
						sum, err := client.Add(ctx, 1, 2)
						if err == nil && sum != 3 {
							err = fmt.Errorf("the sum is %d", sum)
						}
						calls <- err
					}()
				}
				for range 10 {
					if err := <-calls; err != nil {
						t.Error(err)
					}
				}
				synctest.Wait()
				for _, frame := range s.received[1:] {
					var members map[string]json.RawMessage
					if err := json.Unmarshal([]byte(frame), &members); err != nil {
						t.Errorf("%q: %v", frame, err)
					}
					for name := range members {
						if !slices.Contains([]string{"jsonrpc", "id", "method", "params"}, name) {
							t.Errorf("%s has member %s", frame, name)
						}
					}
				}
			})
		})
	}
}

// What a plain server sends before it answers hello is served.
func TestStrangerThatSpeaksFirst(t *testing.T) {
	for name, greeting := range map[string]string{
		"a notification": `{"jsonrpc":"2.0","method":"Test.Note","params":["welcome",0]}`,
		"a batch":        `[{"jsonrpc":"2.0","method":"Test.Note","params":["welcome",0]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &frameServer{reply: func(frame string) []string {
					if strings.Contains(frame, "rpc.hello") {
						return []string{greeting, strangeAnswers["method not found"]}
					}
					return []string{fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":3}`, idOf(t, frame))}
				}}
				got := make(chan string, 1)
				note := method("Test.Note", func() (any, any) { return new([]any), nil }, func(_ context.Context, c *rpc.Call) error {
					got <- fmt.Sprint((*c.Params.(*[]any))[0])
					return nil
				})
				conn, err := s.dial(t, rpc.DialOptions{Services: []rpc.Service{note}})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if text := <-got; text != "welcome" {
					t.Errorf("it was told %q", text)
				}
				if sum, err := NewSubjectClient(conn).Add(t.Context(), 1, 2); sum != 3 || err != nil {
					t.Errorf("%d, %v", sum, err)
				}
			})
		})
	}
}

// A codec that plain JSON-RPC has no place for is not given up in silence, nor is
// what a wirecall server refuses.
func TestDialThatCannotBePlain(t *testing.T) {
	for name, test := range map[string]struct {
		opts   rpc.DialOptions
		answer string
		code   rpc.Code
		text   string
	}{
		"full":            {answer: `{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"full","retry":1000}}`, code: rpc.CodeLimitReached},
		"leaving":         {answer: `{"jsonrpc":"2.0","id":1,"error":{"code":-32013,"message":"shutting down"}}`, code: rpc.CodeUnavailable},
		"unauthenticated": {answer: `{"jsonrpc":"2.0","id":1,"error":{"code":-32014,"message":"who are you?"}}`, code: rpc.CodeUnauthenticated},
		"denied":          {answer: `{"jsonrpc":"2.0","id":1,"error":{"code":-32015,"message":"not you"}}`, code: rpc.CodePermissionDenied},
		"cbor":            {opts: rpc.DialOptions{Codec: cbor.Codec}, answer: strangeAnswers["method not found"], code: rpc.CodeUnavailable},
		"version 2":       {answer: `{"jsonrpc":"2.0","id":1,"result":{"calls":1,"streams":1,"message":65536,"v":2}}`, code: rpc.CodeUnavailable, text: "want version 1"},
		"a small message": {answer: `{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":1,"streams":1,"message":512}}`, code: rpc.CodeUnavailable, text: "Message:512"},
		"a limit as text": {answer: `{"jsonrpc":"2.0","id":1,"result":{"calls":"1","v":1}}`, code: rpc.CodeUnavailable, text: `calls: "1" is not of its type`},
		"half a hello":    {answer: `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: malformed JSON at byte 29"}}`, code: rpc.CodeParse, text: "parse error"},
		"no JSON":         {answer: `220 mail.example ready`, code: rpc.CodeUnavailable, text: `is not JSON: "220 mail.example ready"`},
		"an echo":         {answer: `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1}}`, code: rpc.CodeUnavailable, text: "echoes what it receives"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &frameServer{reply: func(string) []string { return []string{test.answer} }}
				conn, err := s.dial(t, test.opts)
				if err == nil {
					conn.Close()
				}
				if !errors.Is(err, test.code) || !rpc.NotRun(err) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// Answers of other servers are accepted if their meaning is clear; otherwise
// the call that they name fails, and nothing is answered to any of them.
func TestAnswersOfStrangers(t *testing.T) {
	for name, test := range map[string]struct {
		answers []string // %s is the id
		binary  bool
		want    string // of the error; empty where the sum comes
	}{
		"error of null":      {answers: []string{`{"jsonrpc":"2.0","id":%s,"result":3,"error":null}`}},
		"id as text":         {answers: []string{`{"jsonrpc":"2.0","id":"%s","result":3}`}},
		"id as a float":      {answers: []string{`{"jsonrpc":"2.0","id":%s.0,"result":3}`}},
		"binary frame":       {answers: []string{`{"jsonrpc":"2.0","id":%s,"result":3}`}, binary: true},
		"result of null":     {answers: []string{`{"jsonrpc":"2.0","id":%s,"result":null,"error":{"code":7,"message":"no"}}`}, want: "no"},
		"no version":         {answers: []string{`{"id":%s,"result":3}`}, want: "not one of JSON-RPC 2.0: invalid request: jsonrpc is missing"},
		"error as text":      {answers: []string{`{"jsonrpc":"2.0","id":%s,"error":"broken"}`}, want: "error is not an object"},
		"neither":            {answers: []string{`{"jsonrpc":"2.0","id":%s}`}, want: "no method, result or error"},
		"an error of null":   {answers: []string{`{"jsonrpc":"2.0","id":%s,"error":null}`}, want: "no method, result or error"},
		"and a method":       {answers: []string{`{"jsonrpc":"2.0","id":%s,"method":"","result":3}`}, want: "both a method and an answer"},
		"another version":    {answers: []string{`{"jsonrpc":"1.0","id":%s,"result":3}`}, want: "jsonrpc is not"},
		"result and error":   {answers: []string{`{"jsonrpc":"2.0","id":%s,"result":1,"error":{"code":7,"message":"no"}}`}, want: "both a result and an error"},
		"nonsense before it": {answers: []string{"ping", `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"?"}}`, `{"jsonrpc":"2.0","result":5}`, `{"jsonrpc":"2.0","id":99,"result":5}`, `{"jsonrpc":"2.0","method":"$/progress","params":[1]}`, `[]`, `{"jsonrpc":"2.0","id":%s,"result":3}`}},
		"in an array":        {answers: []string{`[{"jsonrpc":"2.0","id":%s,"result":3}]`}},
		"white space":        {answers: []string{"\r\n{\n\t\"jsonrpc\": \"2.0\",\n\t\"id\": %s,\n\t\"result\": 3\n}\n"}},
		"twice":              {answers: []string{`{"jsonrpc":"2.0","id":%[1]s,"result":3}`, `{"jsonrpc":"2.0","id":%[1]s,"result":4}`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &frameServer{binary: test.binary, reply: func(frame string) (answers []string) {
					if strings.Contains(frame, "rpc.hello") {
						return []string{strangeAnswers["method not found"]}
					}
					for _, a := range test.answers {
						if strings.Contains(a, "%") {
							a = fmt.Sprintf(a, idOf(t, frame))
						}
						answers = append(answers, a)
					}
					return answers
				}}
				conn, err := s.dial(t, rpc.DialOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				switch sum, err := NewSubjectClient(conn).Add(ctx, 1, 2); {
				case test.want == "" && (err != nil || sum != 3):
					t.Errorf("%d, %v", sum, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("%v, want %s", err, test.want)
				}
				synctest.Wait()
				if len(s.received) != 2 {
					t.Errorf("hello and a call became %d frames: %q", len(s.received), s.received)
				}
			})
		})
	}
}
