package cluster

import (
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// benchNodes joins two nodes, of which b has the services echo and sink.
func benchNodes(b *testing.B) (n, o *Node) {
	s := startNATS(b, server.RANDOM_PORT)
	n, o = joinNode(b, s, NodeOptions{Name: "a"}), joinNode(b, s, NodeOptions{Name: "b"})
	waitFor(b, n, "b", true)
	o.handle("echo", echo)
	o.handle("sink", func(c net.Conn) {
		defer c.Close()
		io.Copy(io.Discard, c)
	})
	return n, o
}

func BenchmarkLinkDial(b *testing.B) {
	n, _ := benchNodes(b)
	for b.Loop() {
		c, err := n.dial(b.Context(), "b", "echo")
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// A message of 100 bytes there and back, beside a request of NATS.
func BenchmarkLinkEcho(b *testing.B) {
	n, _ := benchNodes(b)
	c, err := n.dial(b.Context(), "b", "echo")
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 100)
	for b.Loop() {
		c.Write(p)
		if _, err := io.ReadFull(c, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	n, o := benchNodes(b)
	o.nc.Subscribe("bench", func(m *nats.Msg) { m.Respond(m.Data) })
	o.nc.Flush()
	p := make([]byte, 100)
	for b.Loop() {
		if _, err := n.nc.RequestWithContext(b.Context(), "bench", p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLinkThroughput(b *testing.B) {
	n, _ := benchNodes(b)
	c, err := n.dial(b.Context(), "b", "sink")
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 64<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := c.Write(p); err != nil {
			b.Fatal(err)
		}
	}
}

// The memory of both ends of an idle link.
func BenchmarkLinkMemory(b *testing.B) {
	n, o := benchNodes(b)
	o.handle("byte", func(c net.Conn) {
		defer c.Close()
		var p [1]byte
		for err := error(nil); err == nil; _, err = c.Write(p[:]) {
			if _, err := c.Read(p[:]); err != nil {
				return
			}
		}
	})
	const count = 500
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var all []net.Conn
		for range count {
			c, err := n.dial(b.Context(), "b", "byte")
			if err != nil {
				b.Fatal(err)
			}
			c.Write([]byte("x"))
			io.ReadFull(c, make([]byte, 1))
			all = append(all, c)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse)/count, "B/link")
		for _, c := range all {
			c.Close()
		}
	}
}
