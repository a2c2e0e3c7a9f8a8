package interop

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A tap stands between clients and a server, passes on every byte, and keeps
// what the server has said. When the test ends it checks that.
type tap struct {
	addr  string
	conns sync.WaitGroup

	mu      sync.Mutex
	tapped  []*tapped
	clients []net.Conn
}

// tapped is what one connection has carried.
type tapped struct{ asked, said bytes.Buffer }

func newTap(t *testing.T, network, server string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{addr: ln.Addr().String()}
	tp.conns.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			tp.conns.Go(func() { tp.pass(client, network, server) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		tp.check(t)
	})
	return tp
}

// pass copies both ways until either side has gone.
func (tp *tap) pass(client net.Conn, network, addr string) {
	server, err := net.Dial(network, addr)
	if err != nil {
		client.Close()
		return
	}
	c := new(tapped)
	tp.mu.Lock()
	tp.tapped = append(tp.tapped, c)
	tp.clients = append(tp.clients, client)
	tp.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { pipe(server, client, &c.asked) })
	both.Go(func() { pipe(client, server, &c.said) })
	both.Wait()
}

func pipe(dst, src net.Conn, record *bytes.Buffer) {
	defer dst.Close()
	defer src.Close()
	io.Copy(dst, io.TeeReader(src, record))
}

// check ends the connections and looks at all that was said.
func (tp *tap) check(t *testing.T) {
	t.Helper()
	tp.mu.Lock()
	for _, c := range tp.clients {
		c.Close()
	}
	tp.mu.Unlock()
	tp.conns.Wait()
	if len(tp.tapped) == 0 {
		t.Error("nobody has come to the tap")
	}
	for _, c := range tp.tapped {
		if err := checkConn(c.asked.Bytes(), c.said.Bytes()); err != nil {
			t.Errorf("%v\nthe client sent:\n%q\nthe server sent:\n%q", err, &c.asked, &c.said)
		}
	}
}

// checkConn checks what a server has said on one connection.
func checkConn(asked, said []byte) error {
	switch {
	case bytes.HasPrefix(said, []byte("HTTP/")) && bytes.Contains(said, []byte(" 101 ")):
		return checkWebSocket(asked, said)
	case bytes.HasPrefix(said, []byte("HTTP/")):
		return checkPOST(said)
	}
	for line := range bytes.Lines(said) {
		if err := checkFrame(line); err != nil {
			return err
		}
	}
	return nil
}

func checkPOST(said []byte) error {
	r := bufio.NewReader(bytes.NewReader(said))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return ignoreEnd(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return ignoreEnd(err)
		}
		if resp.StatusCode != http.StatusOK {
			continue
		}
		if err := checkFrame(body); err != nil {
			return err
		}
	}
}

func checkWebSocket(asked, said []byte) error {
	_, asked, _ = bytes.Cut(asked, []byte("\r\n\r\n"))
	head, said, _ := bytes.Cut(said, []byte("\r\n\r\n"))
	if strings.Contains(string(head), "Sec-Websocket-Protocol") {
		return fmt.Errorf("a subprotocol was agreed on:\n%s", head)
	}
	batches, answers := 0, 0
	for f, err := range frames(asked) {
		if err != nil {
			return err
		}
		if f.op == opText && bytes.HasPrefix(f.payload, []byte("[")) {
			batches++
		}
	}
	for f, err := range frames(said) {
		switch {
		case err != nil:
			return err
		case f.op == opPing || f.op == opPong || f.op == opClose:
			continue
		case f.op != opText:
			return fmt.Errorf("a frame with opcode %d: want text", f.op)
		}
		if err := checkFrame(f.payload); err != nil {
			return err
		}
		if bytes.HasPrefix(f.payload, []byte("[")) {
			answers++
		}
	}
	if answers > batches {
		return fmt.Errorf("%d arrays in answer to %d batches", answers, batches)
	}
	return nil
}

// The opcodes of RFC 6455, section 5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// A frame of a WebSocket.
type frame struct {
	op      byte
	payload []byte
}

// frames parses the frames of one direction. It accepts neither fragments nor
// compression, which this server has no reason to send; a frame that was cut
// off is the end.
func frames(b []byte) func(func(frame, error) bool) {
	return func(yield func(frame, error) bool) {
		for len(b) >= 2 {
			f := frame{op: b[0] & 0xf}
			if b[0]&0xf0 != 0x80 {
				yield(f, fmt.Errorf("a frame begins with %#x: want FIN and nothing reserved", b[0]))
				return
			}
			masked, n := b[1]&0x80 != 0, uint64(b[1]&0x7f)
			b = b[2:]
			switch {
			case n == 126 && len(b) >= 2:
				n, b = uint64(binary.BigEndian.Uint16(b)), b[2:]
			case n == 127 && len(b) >= 8:
				n, b = binary.BigEndian.Uint64(b), b[8:]
			}
			var mask [4]byte
			if masked {
				b = b[copy(mask[:], b):]
			}
			if uint64(len(b)) < n {
				return
			}
			f.payload = slices.Clone(b[:n])
			for i := range f.payload {
				f.payload[i] ^= mask[i%4]
			}
			if b = b[n:]; !yield(f, nil) {
				return
			}
		}
	}
}

// checkFrame checks one message or batch.
func checkFrame(b []byte) error {
	if !bytes.HasPrefix(b, []byte("[")) {
		return checkMessage(b)
	}
	var batch []json.RawMessage
	if err := json.Unmarshal(b, &batch); err != nil || len(batch) == 0 {
		return fmt.Errorf("not the answer to a batch: %v: %s", err, b)
	}
	for _, m := range batch {
		if err := checkMessage(m); err != nil {
			return err
		}
		if bytes.Contains(m, []byte(`"method"`)) {
			return fmt.Errorf("a notification in a batch: %s", m)
		}
	}
	return nil
}

// checkMessage checks that b is an answer or belongs to a subscription, with
// all members that such a message must have and no other.
func checkMessage(b []byte) error {
	var m struct {
		Version string                     `json:"jsonrpc"`
		Method  string                     `json:"method"`
		Event   string                     `json:"notification"`
		Params  json.RawMessage            `json:"params"`
		Error   map[string]json.RawMessage `json:"error"`
	}
	members, err := membersOf(b)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, b)
	}
	inParams, _ := membersOf(m.Params)
	inError := keys(m.Error)
	switch {
	case m.Method == "eth_subscription" && members == "error id method params" && inParams == "subscription":
		// the error of such a subscription, which no JSON-RPC can say
	case members == "notification params" && (m.Event == "prices" || m.Event == "alarms"):
		// what rpc-websockets has in place of a notification
	case m.Version != "2.0":
		err = errors.New("not JSON-RPC 2.0")
	case members == "id jsonrpc result":
	case members == "error id jsonrpc" && (inError == "code message" || inError == "code data message"):
	case members != "jsonrpc method params":
		err = fmt.Errorf("a message with the members %s", members)
	case m.Method == "end_subscription" && inParams == "Subscription":
	case m.Method == "chain_finalizedHead" && inParams == "error subscription":
	case m.Method != "eth_subscription" && m.Method != "chain_newHead" && m.Method != "chain_finalizedHead":
		err = errors.New("a notification that is not a subscription's")
	case inParams != "result subscription":
		err = fmt.Errorf("a subscription's notification with the params %s", inParams)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, b)
	}
	return nil
}

func membersOf(b []byte) (string, error) {
	var members map[string]json.RawMessage
	err := json.Unmarshal(b, &members)
	return keys(members), err
}

func keys(m map[string]json.RawMessage) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
