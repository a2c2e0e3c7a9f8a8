package loadgen

import (
	"sync"

	"github.com/wirecall/wirecall/rpc"
)

// An opener opens connections, and holds them until the run ends.
type opener struct {
	*run
	mu   sync.Mutex
	held []Conn
}

func (o *opener) open(moment) error {
	conn, err := o.Dial(o.calling, new(Link))
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = append(o.held, conn)
	return nil
}

// count returns how many connections are held, and how many of them have lost what they
// had.
func (o *opener) count() (held, lost int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.held {
		if conn, ok := c.Caller.(*rpc.Conn); ok && conn.State().Phase != rpc.Connected {
			lost++
		}
	}
	return int64(len(o.held)) - lost, lost
}

func (o *opener) close() {
	var wg sync.WaitGroup
	for _, c := range o.held {
		wg.Go(func() { c.Close() })
	}
	wg.Wait()
}
