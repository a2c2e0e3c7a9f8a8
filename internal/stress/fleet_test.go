package stress

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// Fleet is what ten thousand devices are connected to.
//
//wirecall:service
type Fleet interface {
	// Numbers streams the numbers after the given one, one in a while.
	//
	//wirecall:cursor after=N
	Numbers(ctx context.Context, after int) (iter.Seq2[Number, error], error)

	// Usage tells what the server's process costs.
	Usage(ctx context.Context) (Usage, error)

	// Deploy has another server take over while this one shuts down within some
	// milliseconds.
	Deploy(ctx context.Context, ms int) error

	// Rush returns the largest number of connections that came within one second
	// since the last deploy, or the start.
	Rush(ctx context.Context) (int, error)
}

// A Number is one of a stream.
type Number struct{ N int }

// Usage is what a process costs, in bytes and seconds.
type Usage struct {
	RSS, Heap, Stacks int
	CPU               float64
	Goroutines        int
}

// tick is the time between two numbers.
func tick() time.Duration {
	if os.Getenv(fleetSizeVariable) == "" && !*long {
		return 500 * time.Millisecond
	}
	return 5 * time.Second
}

// A fleet is the server in a process of its own.
type fleet struct {
	current  atomic.Pointer[rpc.Server]
	mu       sync.Mutex
	since    time.Time
	arrivals []int // in each tenth of a second since then
}

// The test binary is the server where the first variable holds the address to
// listen on; the second is set for the full size.
const (
	fleetVariable     = "STRESS_FLEET"
	fleetSizeVariable = "STRESS_FLEET_LONG"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(fleetVariable); addr != "" {
		serveFleet(addr)
		return
	}
	os.Exit(m.Run())
}

func serveFleet(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	f := &fleet{}
	f.replace()
	go func() { // the end of the parent
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	http.Serve(ln, f)
}

func (f *fleet) replace() (old *rpc.Server) {
	f.mu.Lock()
	f.since, f.arrivals = time.Now(), nil
	f.mu.Unlock()
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Limits: rpc.Limits{IdleTimeout: 15 * time.Second}})
	srv.Register(FleetService(f))
	return f.current.Swap(srv)
}

func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	at := int(time.Since(f.since) / (100 * time.Millisecond))
	for len(f.arrivals) <= at {
		f.arrivals = append(f.arrivals, 0)
	}
	f.arrivals[at]++
	f.mu.Unlock()
	f.current.Load().ServeHTTP(w, r)
}

func (f *fleet) Numbers(ctx context.Context, after int) (iter.Seq2[Number, error], error) {
	pause := tick()
	return func(yield func(Number, error) bool) {
		for n := after + 1; yield(Number{n}, nil); n++ {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

func (f *fleet) Usage(context.Context) (Usage, error) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, rss, err := processUsage()
	return Usage{CPU: cpu.Seconds(), RSS: rss, Heap: int(m.HeapInuse), Stacks: int(m.StackInuse), Goroutines: runtime.NumGoroutine()}, err
}

func (f *fleet) Rush(context.Context) (most int, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.arrivals {
		sum := 0
		for _, n := range f.arrivals[i:min(i+10, len(f.arrivals))] {
			sum += n
		}
		most = max(most, sum)
	}
	return most, nil
}

func (f *fleet) Deploy(ctx context.Context, ms int) error {
	old := f.replace()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(ms)*time.Millisecond)
	go func() {
		defer cancel()
		old.Shutdown(ctx)
		old.Close()
	}()
	return nil
}

// startFleet starts the server's process, whose end is kill's, and returns its
// address.
func startFleet(t *testing.T, addr string) (at string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fleetVariable+"="+addr)
	if *long {
		cmd.Env = append(cmd.Env, fleetSizeVariable+"=1")
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
		stdin.Close()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

// A device is one client of the fleet, which checks its numbers.
type device struct {
	conn *rpc.Conn
	last int
	got  chan struct{} // holds a value when there has been a number since it was last looked at
}

func (d *device) run(ctx context.Context) error {
	numbers, err := NewFleetClient(d.conn).Numbers(ctx, 0)
	if err != nil {
		return err
	}
	for n, err := range numbers {
		if err != nil {
			return err
		}
		if d.last++; n.N != d.last {
			return fmt.Errorf("number %d in the place of %d", n.N, d.last)
		}
		select {
		case d.got <- struct{}{}:
		default:
		}
	}
	return nil
}

// Many connections, each with a live stream: what they cost while nothing
// happens, and how they come over to another server when theirs shuts down, and
// back when it is killed. No stream loses a number, or gets one twice.
func TestFleet(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("it reads /proc")
	}
	if testing.Short() {
		t.Skip("it dials hundreds of connections to another process")
	}
	n, grace := 200, 4_000
	if *long {
		n, grace = 10_000, 20_000
	}
	addr, kill := startFleet(t, "127.0.0.1:0")
	before := usageOf(t, addr)
	devices := connect(t, addr, n)
	idle := usageOf(t, addr)
	t.Logf("%d connections with a live stream each: the server has %d bytes of RSS a connection (%d of heap, %d of stacks), %d goroutines",
		n, (idle.RSS-before.RSS)/n, (idle.Heap-before.Heap)/n, (idle.Stacks-before.Stacks)/n, idle.Goroutines)
	if *long {
		start := time.Now()
		time.Sleep(30 * time.Second)
		later := usageOf(t, addr)
		t.Logf("at idle, with an item each %v and pings: %.1f %% of a core", tick(), (later.CPU-idle.CPU)/time.Since(start).Seconds()*100)
	}

	start := time.Now()
	control := dialFleet(t, addr)
	if err := NewFleetClient(control).Deploy(t.Context(), grace); err != nil {
		t.Fatal(err)
	}
	control.Close()
	awaitAll(t, devices, 2)
	t.Logf("the server was replaced: all were over after %v, at most %d in one second", time.Since(start).Round(10*time.Millisecond), rush(t, addr))
	awaitNumbers(t, devices)

	start = time.Now()
	kill()
	addr, _ = startFleet(t, addr)
	awaitAll(t, devices, 3)
	t.Logf("the server was killed, and started: all were back after %v, at most %d in one second", time.Since(start).Round(10*time.Millisecond), rush(t, addr))
	awaitNumbers(t, devices)
}

func dialFleet(t *testing.T, addr string) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), "ws://"+addr, &rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MaxDelay: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func usageOf(t *testing.T, addr string) Usage {
	t.Helper()
	conn := dialFleet(t, addr)
	defer conn.Close()
	u, err := NewFleetClient(conn).Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func rush(t *testing.T, addr string) int {
	t.Helper()
	conn := dialFleet(t, addr)
	defer conn.Close()
	n, err := NewFleetClient(conn).Rush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// connect makes n devices, each of which has got a number when it returns.
func connect(t *testing.T, addr string, n int) []*device {
	ctx, cancel := context.WithCancel(context.Background())
	devices := make([]*device, n)
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		for _, d := range devices {
			d.conn.Close()
		}
		running.Wait()
	})
	for i := range devices {
		d := &device{conn: dialFleet(t, addr), got: make(chan struct{}, 1)}
		devices[i] = d
		running.Go(func() {
			if err := d.run(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("device %d: %v", i, err)
			}
		})
	}
	awaitNumbers(t, devices)
	return devices
}

// awaitNumbers waits until each device has got one more.
func awaitNumbers(t *testing.T, devices []*device) {
	t.Helper()
	for _, d := range devices {
		select {
		case <-d.got: // before
		default:
		}
	}
	late := time.After(time.Minute)
	for i, d := range devices {
		select {
		case <-d.got:
		case <-late:
			t.Fatalf("device %d gets nothing: %+v", i, d.conn.State())
		}
	}
}

// awaitAll waits until each device has another session.
func awaitAll(t *testing.T, devices []*device, session int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i, d := range devices {
		ok := false
		for st := range d.conn.States(ctx) {
			if ok = st.Phase == rpc.Connected && st.Session >= session; ok {
				break
			}
		}
		if !ok {
			t.Fatalf("device %d does not come: %+v", i, d.conn.State())
		}
	}
}
