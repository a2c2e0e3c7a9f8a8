package stress

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"html"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

var (
	soakFor  = flag.Duration("soak", time.Second, "how long TestSoak runs; from a minute on it holds that nothing grows")
	soakPlot = flag.String("soakplot", "", "a `file`.svg for what TestSoak takes up; its samples go to file.csv")
)

// Sessions of all transports work over sockets that break every some 100 ms, while
// clients come and go beside them, with and without a goodbye: however long that
// lasts, nothing is lost, and what it takes up does not grow.
func TestSoak(t *testing.T) {
	var all []*lasting
	var cuts, guests atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(*soakFor)
	over := func() bool { return !time.Now().Before(end) }
	for i, tr := range transports {
		b := &breaker{}
		l := last(t, tr, listenLoopback(t), b.dial, 5*time.Second, rpc.Limits{IdleTimeout: 10 * time.Second})
		all = append(all, l)
		calm := keepCutting(b.cut, 300*time.Millisecond)
		wg.Go(func() {
			l.together(t, uint64(i), 4, over)
			calm()
			cuts.Add(int64(b.count()))
		})
		wg.Go(func() {
			for r := rand.New(rand.NewPCG(5, uint64(i))); !over() && !t.Failed(); guests.Add(1) {
				visit(t, l, tr, r)
			}
		})
	}
	samples := watch(over)
	wg.Wait()
	for _, l := range all {
		t.Log(l)
		l.settle(t)
	}
	t.Logf("%d cuts, %d guests, %d samples", cuts.Load(), guests.Load(), len(samples))
	if *soakPlot != "" {
		if err := plotSoak(*soakPlot, samples); err != nil {
			t.Error(err)
		}
	}
	if *soakFor >= time.Minute {
		isFlat(t, samples)
	}
}

// visit is a client that comes for a short time. One in two says no goodbye, so
// that its session waits for it in vain.
func visit(t *testing.T, l *lasting, tr transport, r *rand.Rand) {
	b := &breaker{}
	conn, err := rpc.Dial(t.Context(), l.url, &rpc.DialOptions{Codec: tr.codec, Resume: true,
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if b.open != nil {
				return nil, net.ErrClosed // it never comes back
			}
			return b.dial(ctx, network, addr)
		}})
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	p := NewLoadClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), upTo(r, 100*time.Millisecond))
	defer cancel()
	if s, err := p.Echo(t.Context(), "hi"); s != "hi" || err != nil {
		t.Error(s, err)
	}
	items, err := p.Count(ctx, -1, 100)
	if drain(items, err) == nil {
		t.Error("an endless stream has ended")
	}
	if r.IntN(2) == 0 {
		b.cut(r)
		for st := range conn.States(t.Context()) {
			if st.Phase != rpc.Connected {
				break
			}
		}
	}
}

// A sample is what the process takes up at a time.
type sample struct {
	at   time.Duration
	what [3]float64
}

var sampled = [3]string{"heap in use, MiB", "goroutines", "file descriptors"}

// watch takes a few hundred samples until all is over.
func watch(over func() bool) (samples []sample) {
	start, every := time.Now(), max(*soakFor/400, 100*time.Millisecond)
	for !over() {
		time.Sleep(every)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fds, _ := os.ReadDir("/proc/self/fd") // elsewhere there are none
		samples = append(samples, sample{time.Since(start),
			[3]float64{float64(m.HeapAlloc) / (1 << 20), float64(runtime.NumGoroutine()), float64(len(fds))}})
	}
	return samples
}

// isFlat holds that the samples do not grow: the median of the last third is not
// above that of the middle one by more than a quarter and a little.
func isFlat(t *testing.T, samples []sample) {
	third := len(samples) / 3
	for i, name := range sampled {
		middle, end := median(samples[third:2*third], i), median(samples[2*third:], i)
		t.Logf("%s: %.1f, then %.1f", name, middle, end)
		if end > middle*1.25+3 {
			t.Errorf("%s: grew from %.1f to %.1f", name, middle, end)
		}
	}
}

func median(samples []sample, i int) float64 {
	vs := make([]float64, 0, len(samples))
	for _, s := range samples {
		vs = append(vs, s.what[i])
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}

// plotSoak writes the samples as a CSV file and as an SVG picture.
func plotSoak(file string, samples []sample) error {
	svg := soakSVG(samples)
	if err := os.WriteFile(file, []byte(svg), 0o644); err != nil {
		return err
	}
	f, err := os.Create(strings.TrimSuffix(file, filepath.Ext(file)) + ".csv")
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	w.Write(append([]string{"seconds"}, sampled[:]...))
	for _, s := range samples {
		row := []string{strconv.FormatFloat(s.at.Seconds(), 'f', 1, 64)}
		for _, v := range s.what {
			row = append(row, strconv.FormatFloat(v, 'f', 2, 64))
		}
		w.Write(row)
	}
	w.Flush()
	return w.Error()
}

// soakSVG draws a panel for each thing that was sampled.
func soakSVG(samples []sample) string {
	const width, height, left, top = 700, 120, 60, 30
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, width+left+20, 3*(height+2*top))
	fmt.Fprint(&b, "\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n")
	for i, name := range sampled {
		y := i*(height+2*top) + top
		most, end := 1.0, samples[len(samples)-1].at
		for _, s := range samples {
			most = max(most, s.what[i])
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", left, y-8, html.EscapeString(name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#ccc"/>`+"\n", left, y, width, height)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%.0f</text><text x="%d" y="%d" text-anchor="end">0</text>`, left-6, y+10, most, left-6, y+height)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%v</text>`+"\n", left+width, y+height+16, end.Round(time.Second))
		fmt.Fprint(&b, `<polyline fill="none" stroke="#05a" points="`)
		for _, s := range samples {
			fmt.Fprintf(&b, "%.1f,%.1f ", left+width*float64(s.at)/float64(end), float64(y)+height*(1-s.what[i]/most))
		}
		fmt.Fprint(&b, `"/>`+"\n")
	}
	fmt.Fprint(&b, "</svg>\n")
	return b.String()
}
