// Telemetry is a server for devices and dashboards, a device, and a dashboard. Demo is the
// server with four devices, whose page at http://localhost:8081 is another dashboard.
//
//	go run ./example/telemetry/cmd/telemetry demo
//	go run ./example/telemetry/cmd/telemetry serve
//	go run ./example/telemetry/cmd/telemetry device -device attic -interval 2s
//	go run ./example/telemetry/cmd/telemetry watch
//	go run ./example/telemetry/cmd/telemetry set -device attic -interval 500ms
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/wirecall/wirecall/example/internal/site"
	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/example/telemetry/web"
	"github.com/wirecall/wirecall/rpc"
)

const usage = `usage: telemetry demo [-addr localhost:8081]
       telemetry serve [-addr localhost:8081]
       telemetry device -device NAME [-interval 1s] [-url ws://localhost:8081/rpc]
       telemetry watch [-url ws://localhost:8081/rpc]
       telemetry set -device NAME [-interval 1s] [-url ws://localhost:8081/rpc]
`

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil && !errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "telemetry:", err)
		os.Exit(1)
	}
}

// run does what the arguments say, until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("telemetry", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "localhost:8081", "")
	url := flags.String("url", "ws://localhost:8081/rpc", "")
	device := flags.String("device", "", "")
	interval := flags.Duration("interval", time.Second, "")
	if len(args) == 0 || flags.Parse(args[1:]) != nil || flags.NArg() > 0 {
		return errUsage
	}
	switch {
	case args[0] == "serve":
		return serve(ctx, *addr, nil, out)
	case args[0] == "demo":
		return serve(ctx, *addr, []string{"attic", "cellar", "garden", "kitchen"}, out)
	case args[0] == "watch":
		return watch(ctx, *url, out)
	case args[0] == "device" && *device != "" && *interval > 0:
		return report(ctx, *url, *device, *interval)
	case args[0] == "set" && *device != "":
		return set(ctx, *url, *device, *interval, out)
	}
	return errUsage
}

// demoInterval is how often the devices of a demo measure: they make 2,000 points a second.
const demoInterval = 2 * time.Millisecond

// serve runs a hub and its page at an address until ctx ends, and devices that report to
// it.
func serve(ctx context.Context, addr string, devices []string, out io.Writer) error {
	hub := telemetry.NewHub()
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Describe: true})
	srv.Register(telemetry.IntakeService(hub), telemetry.FleetService(hub))
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for _, name := range devices {
		go report(ctx, fmt.Sprintf("ws://%s/rpc", ln.Addr()), name, demoInterval)
	}
	return site.Serve(ctx, ln, srv, web.Files, out)
}

// report is a device.
func report(ctx context.Context, url, name string, interval time.Duration) error {
	sensor := telemetry.NewSensor(name, interval, func(t time.Time) float64 { return temperature(name, t) })
	conn, err := rpc.Dial(ctx, url, &rpc.DialOptions{
		Services:  []rpc.Service{telemetry.DeviceService(sensor)},
		Resume:    true,
		Reconnect: rpc.Reconnect{RetryFirst: true},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		err := sensor.Run(ctx, conn)
		if conn.Err() != nil || !errors.Is(err, rpc.CodeSessionLost) && !errors.Is(err, rpc.CodeUnavailable) {
			return err
		}
		// The hub is another, or has been away for long: report to it anew.
	}
}

// temperature has a rather short day, which begins elsewhere at each place.
func temperature(place string, t time.Time) float64 {
	day := float64(t.UnixMilli())/10_000 + float64(len(place))
	return 20 + 5*math.Sin(day) + math.Sin(23*day)/2 + rand.Float64()/4
}

// watch is a dashboard.
func watch(ctx context.Context, url string, out io.Writer) error {
	conn, err := rpc.Dial(ctx, url, &rpc.DialOptions{Resume: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	now, changes, err := telemetry.NewFleetClient(conn).Watch(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d devices\n", len(now))
	for _, s := range now {
		show(out, s)
	}
	for s, err := range changes {
		if err != nil {
			return err
		}
		show(out, s)
	}
	return nil
}

func show(out io.Writer, s telemetry.Status) {
	state := "offline"
	if s.Online {
		state = "every " + s.Interval.String()
	}
	fmt.Fprintf(out, "%-12q %-12s %6d readings, last %.2f\n", s.Device, state, s.Readings, s.Last.Value)
}

// set is a dashboard's button.
func set(ctx context.Context, url, device string, interval time.Duration, out io.Writer) error {
	conn, err := rpc.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	was, err := telemetry.NewFleetClient(conn).SetInterval(ctx, device, interval)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: every %v, was %v\n", device, interval, was)
	return nil
}
