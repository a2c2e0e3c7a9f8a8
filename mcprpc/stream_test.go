package mcprpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A stream without an end is read for a while, and goes on behind its cursor.
func TestStreamContinues(t *testing.T) {
	c := overMemory(t, newBox(), nil, nil)
	for _, first := range []int{1, 101} {
		var got struct {
			Items []struct{ N int }
			More  bool
			After json.Number
		}
		r := call(t, c, "Toolbox_Count", fmt.Sprintf(`{"after":%d}`, first-1))
		if err := json.Unmarshal([]byte(text(t, r)), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Items) != 100 || got.Items[0].N != first || !got.More || got.After != json.Number(fmt.Sprint(first+99)) {
			t.Errorf("from %d: %d items from %v, more %t, after %s", first, len(got.Items), got.Items[0], got.More, got.After)
		}
	}
}

// The items of a result have 64 KiB, and at most one item more.
func TestStreamBytes(t *testing.T) {
	c := overMemory(t, newBox(), nil, nil)
	for _, tt := range []struct{ size, items int }{{1000, 66}, {200_000, 1}} {
		var got struct {
			Items []string
			More  bool
		}
		r := call(t, c, "Toolbox_Words", fmt.Sprintf(`{"n":90,"size":%d}`, tt.size))
		if err := json.Unmarshal([]byte(text(t, r)), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Items) != tt.items || !got.More {
			t.Errorf("words of %d: %d items, more %t", tt.size, len(got.Items), got.More)
		}
	}
}

// A quiet stream is read for 30 s, and a stream that fails says what it had brought.
func TestStreamTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		b.tick = func(ctx context.Context, n int64) error {
			if n == 5 {
				return errors.New("no five")
			}
			if n%4 == 3 {
				return sleep(ctx, 29*time.Second)
			}
			return nil
		}
		c := overMemory(t, b, nil, nil)
		began := time.Now()
		for _, tt := range []struct {
			after int
			took  time.Duration
			want  string
		}{
			{6, 30 * time.Second, `{"items":[{"N":7},{"N":8},{"N":9},{"N":10}],"more":true,"after":10}`},
			{2, 29 * time.Second, "no five (code -32000)"},
		} {
			r := call(t, c, "Toolbox_Count", fmt.Sprintf(`{"after":%d}`, tt.after))
			if got := text(t, r); got != tt.want || time.Since(began) != tt.took {
				t.Errorf("after %d: %s after %v, want %s after %v", tt.after, got, time.Since(began), tt.want, tt.took)
			}
			began = time.Now()
			if r.IsError && structured(t, r) != `{"after":4,"code":-32000,"items":[{"N":3},{"N":4}],"message":"no five","more":false}` {
				t.Errorf("the error is %s", structured(t, r))
			}
		}
		b.tick = func(ctx context.Context, n int64) error { return sleep(ctx, time.Hour) }
		if got := text(t, call(t, c, "Toolbox_Count", `{"after":7}`)); got != `{"items":[],"more":true,"after":7}` {
			t.Errorf("a stream without items: %s", got)
		}
	})
}

// A call that is not answered ends, on the server as well.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, o := range []*Options{nil, {Timeout: 3 * time.Second}} {
			b := newBox()
			c := overMemory(t, b, o, nil)
			began := time.Now()
			r := call(t, c, "Toolbox_Wait", `{}`)
			took := 60 * time.Second
			if o != nil {
				took = o.Timeout
			}
			if got := text(t, r); !r.IsError || got != "Toolbox.Wait has not answered in time, and has been cancelled (code -32012)" || time.Since(began) != took {
				t.Errorf("%s after %v", got, time.Since(began))
			}
			if err := <-b.ended; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the handler ended with %v", err)
			}
		}
	})
}

// A client that cancels a call cancels it on the server.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		c := overMemory(t, b, nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-b.waiting
			cancel()
		}()
		began := time.Now()
		_, err := c.CallTool(ctx, &mcp.CallToolParams{Name: "Toolbox_Wait"})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the call ended with %v", err)
		}
		if err := <-b.ended; !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("the handler ended with %v after %v", err, time.Since(began))
		}
	})
}

// The items of a stream are reported while they come, not more often than is of use.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reports := make(chan *mcp.ProgressNotificationParams, 1000)
		client := &mcp.ClientOptions{ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			reports <- r.Params
		}}
		b := newBox()
		b.tick = func(ctx context.Context, _ int64) error { return sleep(ctx, 30*time.Millisecond) }
		c := overMemory(t, b, nil, client)
		params := &mcp.CallToolParams{Name: "Toolbox_Count", Arguments: json.RawMessage(`{"after":0}`)}
		if _, err := c.CallTool(t.Context(), params); err != nil { // without a token
			t.Fatal(err)
		}
		synctest.Wait()
		if len(reports) > 0 {
			t.Errorf("%d reports that nobody asked for", len(reports))
		}
		params.SetProgressToken("token")
		if _, err := c.CallTool(t.Context(), params); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(reports); n != 25 { // 100 items in 3 s, of which each fourth is 120 ms behind the last report
			t.Errorf("%d reports", n)
		}
		for n := 1; len(reports) > 0; n += 4 {
			if r := <-reports; r.ProgressToken != "token" || r.Progress != float64(n) || r.Message != fmt.Sprintf(`{"N":%d}`, n) {
				t.Errorf("report of item %d: %v", n, r)
			}
		}

		words := &mcp.CallToolParams{Name: "Toolbox_Words", Arguments: json.RawMessage(`{"n":1,"size":5000}`)}
		words.SetProgressToken("words")
		if _, err := c.CallTool(t.Context(), words); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if m := (<-reports).Message; len(m) > 1024 || !utf8.ValidString(m) || !strings.HasPrefix(m, `"éé`) || !strings.HasSuffix(m, "é…") {
			t.Errorf("a message of %d bytes: %.20s", len(m), m)
		}
	})
}
