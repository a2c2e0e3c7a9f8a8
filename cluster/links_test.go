package cluster

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster/internal/nodelink"
	"github.com/wirecall/wirecall/internal/relay"
)

// echo sends back what it reads.
func echo(c net.Conn) {
	defer c.Close()
	io.Copy(c, c)
}

// joinTwo joins two nodes that see each other, of which b has the service echo.
func joinTwo(t *testing.T, s *server.Server) (a, b *Node) {
	t.Helper()
	a, b = joinNode(t, s, NodeOptions{Name: "a"}), joinNode(t, s, NodeOptions{Name: "b"})
	waitFor(t, a, "b", true)
	b.handle("echo", echo)
	return a, b
}

// mustDial opens a link until the test ends.
func mustDial(t *testing.T, n *Node, node, service string) net.Conn {
	t.Helper()
	c, err := n.dial(t.Context(), node, service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exchange sends bytes to an echo and compares what comes back.
func exchange(t *testing.T, c net.Conn, n int) {
	t.Helper()
	sent, got := make([]byte, n), make([]byte, n)
	rand.Read(sent)
	wrote := make(chan error)
	go func() {
		_, err := c.Write(sent)
		wrote <- err
	}()
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("read %v; the same is %v", err, bytes.Equal(got, sent))
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
}

// wantCut reads until the link breaks, which must not look like its end.
func wantCut(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Error("the link has ended as if it was closed")
	}
}

func TestLink(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	c := mustDial(t, a, "b", "echo")
	exchange(t, c, 10)
	exchange(t, c, 3<<20)
	if c.RemoteAddr().String() != "b/echo" || c.LocalAddr().String() != "a/echo" || c.LocalAddr().Network() != "nats" {
		t.Errorf("a link from %v to %v", c.LocalAddr(), c.RemoteAddr())
	}
	a.handle("echo", echo)
	exchange(t, mustDial(t, a, "a", "echo"), 100) // to itself
	exchange(t, mustDial(t, b, "a", "echo"), 100) // the other way

	ended := make(chan error)
	b.handle("end", func(c net.Conn) {
		_, err := io.ReadAll(c)
		ended <- err
	})
	e := mustDial(t, a, "b", "end")
	e.Close()
	if err := <-ended; err != nil {
		t.Errorf("the other end of a closed link reads %v", err)
	}
}

// Many links are used at the same time, and nothing is left of them.
func TestManyLinks(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	var served sync.WaitGroup
	served.Add(50)
	b.handle("echo", func(c net.Conn) {
		defer served.Done()
		echo(c)
	})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			c, err := a.dial(t.Context(), "b", "echo")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			exchange(t, c, 50_000)
		})
	}
	all.Wait()
	served.Wait()
	for _, n := range []*Node{a, b} {
		if open := n.links.count(); open != 0 {
			t.Errorf("%s has %d links left", n.Name(), open)
		}
	}
}

// count returns how many ends of links there are.
func (l *links) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// A dial to nobody fails at once: to a name that no node has or can have, to one that has
// left, for a service that nobody has, and from a node that is closed.
func TestDialNobody(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	for _, name := range []string{"nobody", strings.Repeat("n", 64), "", "*", ">", "b.open", "b c"} {
		if _, err := a.dial(t.Context(), name, "echo"); !errors.Is(err, relay.ErrGone) {
			t.Errorf("dial %s: %v", name, err)
		}
	}
	if _, err := a.dial(t.Context(), "b", "other"); !errors.Is(err, nodelink.ErrNoService) {
		t.Errorf("dial another service: %v", err)
	}
	b.Close()
	waitFor(t, a, "b", false)
	if _, err := a.dial(t.Context(), "b", "echo"); !errors.Is(err, relay.ErrGone) {
		t.Errorf("dial one that has left: %v", err)
	}
	a.Close()
	if _, err := a.dial(t.Context(), "a", "echo"); err == nil {
		t.Error("a closed node dials")
	}
}

// A node that another does not know, or has taken for gone, is reached if it is there.
func TestDialUnknown(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "b", Password: "p"},
			{Username: "a", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"wc.node.ask"}}}},
		}
	})
	b, err := tryJoin(t, connectNATS(t, s, nats.UserInfo("b", "p")), NodeOptions{Name: "b", LeaseTime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	b.handle("echo", echo)
	a, err := tryJoin(t, connectNATS(t, s, nats.UserInfo("a", "p"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})), NodeOptions{Name: "a", LeaseTime: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if a.alive("b") {
		t.Fatal("a knows b")
	}
	exchange(t, mustDial(t, a, "b", "echo"), 10)
}

// Close breaks the links of a node, at both ends.
func TestCloseBreaksLinks(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	c := mustDial(t, a, "b", "echo")
	exchange(t, c, 10)
	b.Close()
	wantCut(t, c)
}

// A process that ends without a word is found by what is sent to it, before its lease
// has passed.
func TestLinkToDeadNode(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a := joinNode(t, s, NodeOptions{Name: "a"})
	nc := connectNATS(t, s)
	b, err := tryJoin(t, nc, NodeOptions{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, a, "b", true)
	b.handle("echo", echo)
	c := mustDial(t, a, "b", "echo")
	exchange(t, c, 10)
	nc.Close()
	c.Write([]byte("x"))
	wantCut(t, c)
	if !a.alive("b") {
		t.Error("b was taken for gone before its link broke")
	}
}

// A process that has ended is gone for all nodes, long before its lease has passed, when
// one dials it and NATS has had no connection of it for a while.
func TestDialDeadNode(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	const lease = 3 * time.Minute // nobody waits for that
	a, c := joinNode(t, s, NodeOptions{Name: "a", LeaseTime: lease}), joinNode(t, s, NodeOptions{Name: "c", LeaseTime: lease})
	a.nc.Flush()
	c.nc.Flush()
	without, nc := s.NumSubscriptions(), connectNATS(t, s)
	if _, err := tryJoin(t, nc, NodeOptions{Name: "b", LeaseTime: lease}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, a, "b", true)
	waitFor(t, c, "b", true)
	nc.Close()
	for s.NumSubscriptions() > without { // until the server has noticed
		runtime.Gosched()
	}
	a.links.patience = 100 * time.Millisecond
	if _, err := a.dial(t.Context(), "b", "echo"); !errors.Is(err, relay.ErrGone) {
		t.Errorf("dial a process that has ended: %v", err)
	}
	waitFor(t, c, "b", false)
	if !a.alive("c") || !c.alive("a") {
		t.Error("others are gone, too")
	}
}

// The server of NATS ends and is started again: links break or go on, nothing is lost from
// them in silence, and new ones work.
func TestLinkOverRestart(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	port := s.Addr().(*net.TCPAddr).Port
	a, _ := joinTwo(t, s)
	c := mustDial(t, a, "b", "echo")
	exchange(t, c, 10)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		go func() {
			for err := error(nil); err == nil; {
				_, err = c.Write(make([]byte, 10_000))
			}
		}()
		io.Copy(io.Discard, c)
	}()
	stopNATS(s)
	startNATS(t, port)
	exchange(t, mustDial(t, a, "b", "echo"), 100_000)
	c.Close() // it has been cut, unless the restart has lost nothing of it
	<-ended
	if !a.alive("b") {
		t.Error("b is gone")
	}
}

// A reader that never reads holds up its own writer and nobody else.
func TestLinkNotRead(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	release := make(chan bool)
	b.handle("deaf", func(c net.Conn) {
		<-release
		c.Close()
	})
	deaf := mustDial(t, a, "b", "deaf")
	deaf.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := deaf.Write(make([]byte, 10<<20)); err == nil || n > 2*nodelink.Window {
		t.Errorf("wrote %d, %v", n, err)
	}
	exchange(t, mustDial(t, a, "b", "echo"), 1<<20)
	close(release)
}

// tap records the messages to a node, and returns what takes the next.
func tap(t *testing.T, s *server.Server, subject string) <-chan *nats.Msg {
	t.Helper()
	nc, all := connectNATS(t, s), make(chan *nats.Msg, 10_000)
	if _, err := nc.ChanSubscribe(subject, all); err != nil {
		t.Fatal(err)
	}
	nc.Flush()
	return all
}

// Whatever another client of NATS sends to a link breaks it: nothing that was forged is
// read.
func TestForgedMessages(t *testing.T) {
	for name, forge := range map[string]func(last []byte) []byte{
		"the next one": func(last []byte) []byte {
			forged := bytes.Clone(last)
			forged[8]++
			return forged
		},
		"the last one again": func(last []byte) []byte { return last },
		"an end":             func(last []byte) []byte { return append([]byte{'e'}, append(bytes.Clone(last[1:8]), last[8]+1)...) },
		"a reset":            func([]byte) []byte { return nodelink.Reset(nil) },
		"noise":              func([]byte) []byte { return []byte("noise") },
		"credit": func(last []byte) []byte {
			return append([]byte{'c'}, append(bytes.Clone(last[1:8]), last[8]+1, 1, 0, 0, 0)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startNATS(t, server.RANDOM_PORT)
			a, b := joinTwo(t, s)
			got := make(chan []byte, 1)
			failed := make(chan error, 1)
			b.handle("read", func(c net.Conn) {
				defer c.Close()
				all, err := io.ReadAll(c)
				got <- all
				failed <- err
			})
			messages := tap(t, s, "wc.link.b.*")
			c := mustDial(t, a, "b", "read")
			c.Write([]byte("genuine"))
			var last *nats.Msg
			for last = range messages {
				if last.Data[0] == 'd' && len(last.Data) < 60 { // the record of what was written
					break
				}
			}
			nc := connectNATS(t, s)
			nc.Publish(last.Subject, forge(last.Data))
			nc.Flush()
			if all := <-got; string(all) != "genuine" && len(all) > 0 {
				t.Errorf("b has read %q", all)
			}
			if err := <-failed; err == nil {
				t.Error("the link has ended as if it was closed")
			}
			c.Write([]byte("x")) // finds that the other end has broken, if a has not learned it
			wantCut(t, c)
		})
	}
}

// A link that was recorded and is played again, by somebody who reads the answers, is no
// link: no service gets it.
func TestReplayedLink(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	served := make(chan bool, 10)
	b.handle("order", func(c net.Conn) {
		served <- true
		echo(c)
	})
	messages := tap(t, s, "wc.link.b.*")
	c := mustDial(t, a, "b", "order")
	exchange(t, c, 3)
	c.Close()
	<-served
	var record []*nats.Msg
	for m := range messages {
		if record = append(record, m); nodelink.Last(m.Data) {
			break
		}
	}
	nc, answers := connectNATS(t, s), tap(t, s, "wc.link.mallory.*")
	for _, m := range record {
		nc.Publish(m.Subject, bytes.Replace(m.Data, []byte(`"from":"a"`), []byte(`"from":"mallory"`), 1))
	}
	for m := range answers {
		if nodelink.Last(m.Data) {
			break
		}
	}
	if len(served) > 0 {
		t.Errorf("a service got a link that was made of %d recorded messages", len(record))
	}
}

// A link cannot be turned to another service or node than it was dialed for.
func TestTurnedLink(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	got := make(chan net.Conn, 1)
	b.handle("other", func(c net.Conn) { got <- c })
	// Somebody between the two asks for another service in place of echo.
	id := "turned"
	e, err := a.links.add(id, dialing, "b", "echo")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.links.ask(e, opening{Link: id, From: "a", Service: "other"}); err != nil {
		t.Fatal(err)
	}
	c, err := a.links.identity.Client(t.Context(), e, serviceName("b", "echo"))
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err == nil || len(got) > 0 {
		t.Errorf("a link for echo got to another service: %v", err)
	}
}

// A process whose links have another secret gets none, also if it is among the nodes, and
// both sides log why without it.
func TestLinkOfStranger(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	log, other := newTestLog(), newTestLog()
	b := joinNode(t, s, NodeOptions{Name: "b", Logger: slog.New(log)})
	b.handle("echo", echo)
	stranger := joinNode(t, s, NodeOptions{Name: "x", Logger: slog.New(other)})
	identity, err := nodelink.NewIdentity([]byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	stranger.links.identity = identity
	if _, err := stranger.dial(t.Context(), "b", "echo"); !errors.Is(err, nodelink.ErrStranger) {
		t.Errorf("a stranger dials: %v", err)
	}
	if line := log.wait(t, "different secrets"); !strings.Contains(line, "the same NodeOptions.Secret") || strings.Contains(line, "ssss") {
		t.Errorf("b has logged %s", line)
	}
	other.wait(t, "different secrets")
}

// Openings beyond a bound are refused, and those that stay half open end.
func TestFloodOfOpenings(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{Name: "a"}), joinNode(t, s, NodeOptions{Name: "b", LeaseTime: 3 * time.Second})
	waitFor(t, a, "b", true)
	b.handle("echo", echo)
	nc := connectNATS(t, s)
	refused := tap(t, s, "wc.link.flood.*")
	for i := range 4 * maxOpening {
		o, _ := json.Marshal(opening{Link: fmt.Sprint("id", i), From: "flood", Service: "echo"})
		nc.Publish("wc.link.b.open", o)
	}
	for range 3 * maxOpening {
		if m := <-refused; m.Data[0] != 'r' {
			t.Fatalf("%q", m.Data)
		}
	}
	if n := b.links.count(); n > maxOpening {
		t.Errorf("%d links are half open", n)
	}
	exchange(t, mustDial(t, a, "b", "echo"), 10) // when the first of them have ended
}

// An opening that is none, or whose names would be subjects, is ignored.
func TestForgedOpenings(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a, b := joinTwo(t, s)
	nc := connectNATS(t, s)
	for _, o := range []string{``, `{`, `{"link":"x.y","from":"a","service":"echo"}`, `{"link":"x","from":">","service":"echo"}`, `{"link":"","from":"a"}`} {
		nc.Publish("wc.link.b.open", []byte(o))
	}
	everything := tap(t, s, "elsewhere.>")
	nc.PublishRequest("wc.link.b.unknown", "elsewhere.x", []byte("d12345678")) // no subject outside of links is answered
	nc.Flush()
	exchange(t, mustDial(t, a, "b", "echo"), 10)
	if b.links.count() > 1 || len(everything) > 0 {
		t.Errorf("%d links; %d messages elsewhere", b.links.count(), len(everything))
	}
}

// NodeOptions.MaxLinks bounds the links of both directions.
func TestMaxLinks(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a := joinNode(t, s, NodeOptions{Name: "a", MaxLinks: 2})
	b := joinNode(t, s, NodeOptions{Name: "b"})
	b.handle("echo", echo)
	waitFor(t, a, "b", true)
	c := mustDial(t, a, "b", "echo")
	mustDial(t, a, "b", "echo")
	if _, err := a.dial(t.Context(), "b", "echo"); !errors.Is(err, errTooMany) {
		t.Errorf("the third link: %v", err)
	}
	c.Close()
	exchange(t, mustDial(t, a, "b", "echo"), 10)
}
