package stress

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// FuzzSession reads its input as a program of calls, notifications, streams and
// pauses, and of what befalls the sockets meanwhile. Its first byte says over what
// they run, and whether the two sides keep enough to resume their session always:
// then nothing fails, and otherwise nothing is done twice.
func FuzzSession(f *testing.F) {
	everything := []byte{0, 5, 1, 30, 2, 7, 3, 6, 4, 200, 5, 100, 6, 80, 7, 50, 8, 9, 9, 40, 10, 60}
	for first := range byte(6) {
		f.Add(append([]byte{first}, everything...))
		f.Add(append([]byte{first}, bytes.Join([][]byte{everything, everything}, []byte{11, 3, 12, 0, 13, 0})...))
		f.Add(append([]byte{first, 12, 44, 13, 90, 12, 101, 13, 30, 12, 7, 11, 0}, everything...))
		f.Add(append([]byte{first}, bytes.Repeat([]byte{4, 250, 5, 249, 10, 9, 11, 0, 3, 7, 13, 17, 10, 99}, 8)...))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 0 && len(program) <= 300 {
			synctest.Test(t, func(t *testing.T) { runSession(t, program[0], program[1:]) })
		}
	})
}

func runSession(t *testing.T, first byte, program []byte) {
	coming := plans{}
	network := &rpctest.Network{Plan: coming.next}
	limits := rpc.Limits{IdleTimeout: 3 * time.Second, HandshakeTimeout: time.Second}
	lossy := first/3%2 == 1
	if lossy {
		limits.ReplayBytes = 500
	}
	l := last(t, transports[first%3], network.Listen(), network.Dial, time.Hour, limits)
	l.near.done.lossy, l.far.done.lossy = lossy, lossy
	var wg sync.WaitGroup
	for i := 0; i+1 < len(program); i += 2 {
		switch op, arg := program[i]%14, int(program[i+1]); op {
		case 10:
			time.Sleep(time.Duration(arg) * 100 * time.Microsecond)
		case 11:
			network.Cut()
		case 12, 13:
			coming.add(op == 12, arg)
		default:
			wg.Go(func() {
				if err := l.step(t.Context(), op, arg); err != nil && !(lossy && isLost(err)) {
					t.Errorf("%d %d: %v", op, arg, err)
				}
			})
		}
	}
	wg.Wait()
	l.settle(t)
	time.Sleep(5 * time.Second) // goodbyes that nobody hears
}

// step is one instruction.
func (l *lasting) step(ctx context.Context, op byte, arg int) error {
	limited, cancel := context.WithTimeout(ctx, time.Duration(arg+1)*50*time.Microsecond)
	defer cancel()
	switch op {
	case 0:
		return l.far.done.once(ctx, l, 0)
	case 1:
		return l.far.done.once(ctx, l, time.Duration(arg+1)*50*time.Microsecond)
	case 2:
		notes := l.far.done.source()
		defer notes.close()
		for range arg % 8 {
			if err := notes.tell(ctx, l); err != nil {
				return err
			}
		}
		return nil
	case 3:
		return l.Chat(ctx, arg%8)
	case 4:
		return same(arg)(l.Sum(ctx, counted(arg)))
	case 5:
		items, err := l.Count(ctx, arg, arg)
		if err != nil {
			return err
		}
		return same(arg)(inOrder(items))
	case 6:
		items, err := l.Double(ctx, counted(arg))
		if err != nil {
			return err
		}
		return same(2 * arg)(inOrder(items))
	case 7:
		return l.leave(ctx, arg)
	case 8:
		if err := l.Wait(limited); !givenUp(limited, err) {
			return err
		}
		return nil
	}
	return l.Drop(ctx, counted(arg))
}

// isLost reports whether err is that of a session that could not be resumed.
func isLost(err error) bool {
	return errors.Is(err, rpc.CodeSessionLost) || errors.Is(err, rpc.CodeUnavailable)
}

// plans are those of connections to come.
type plans struct {
	mu    sync.Mutex
	queue []rpctest.Plan
}

// add has the next connection for which nothing is planned end, in a way and
// after a number of bytes that arg has.
func (p *plans) add(up bool, arg int) {
	path := rpctest.Path{Events: []rpctest.Event{{At: arg * 9, Do: rpctest.Action(arg % 4)}}}
	plan := rpctest.Plan{Down: path}
	if up {
		plan = rpctest.Plan{Up: path}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, plan)
}

// next is the plan of the next connection but the first.
func (p *plans) next(n int) (plan rpctest.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > 0 && len(p.queue) > 0 {
		plan, p.queue = p.queue[0], p.queue[1:]
	}
	return plan
}
