package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Variables of the environment of a NATS server.
const (
	natsName   = "CHAOS_NATS_NAME"
	natsFolder = "CHAOS_NATS_FOLDER" // where it keeps its streams
	natsPort   = "CHAOS_NATS_PORT"   // for clients
	natsRoutes = "CHAOS_NATS_ROUTES" // addresses at which the servers of a cluster know each other, its own first; empty if it is alone
)

// runNATS is a NATS server.
func runNATS(ready func(addr string)) error {
	port, err := strconv.Atoi(os.Getenv(natsPort))
	if err != nil {
		return err
	}
	opts := &server.Options{ServerName: os.Getenv(natsName), Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: os.Getenv(natsFolder), NoSigs: true, NoLog: true}
	if routes := os.Getenv(natsRoutes); routes != "" {
		err = join(opts, strings.Split(routes, " "))
	}
	if err != nil {
		return err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	go s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return errors.New("the server is not ready")
	}
	ready(s.Addr().String())
	select {}
}

// join makes a server one of a cluster.
func join(opts *server.Options, routes []string) error {
	host, port, err := net.SplitHostPort(routes[0])
	if err != nil {
		return err
	}
	opts.Cluster.Name, opts.Cluster.Host = "chaos", host
	opts.Cluster.Port, err = strconv.Atoi(port)
	for _, addr := range routes[1:] {
		opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: addr})
	}
	return err
}

// A natsServer is a NATS server as a process that can be killed and started again.
type natsServer struct {
	*process
	t      *testing.T
	addr   string // for clients
	folder string
	env    []string
}

// startServers starts so many NATS servers, which are a cluster if they are several.
func startServers(t *testing.T, n int) (all []*natsServer) {
	t.Helper()
	ports := freePorts(t, 2*n)
	routes := make([]string, n)
	for i := range routes {
		routes[i] = net.JoinHostPort("127.0.0.1", ports[n+i])
	}
	for i := range n {
		s := &natsServer{t: t, addr: net.JoinHostPort("127.0.0.1", ports[i]), folder: t.TempDir()}
		s.env = []string{natsName + "=" + fmt.Sprint("nats", i), natsFolder + "=" + s.folder, natsPort + "=" + ports[i]}
		if n > 1 {
			s.env = append(s.env, natsRoutes+"="+strings.Join(append(append([]string{}, routes[i:]...), routes[:i]...), " "))
		}
		s.start()
		all = append(all, s)
	}
	return all
}

func (s *natsServer) start() {
	s.t.Helper()
	s.process = start(s.t, "nats", s.env...)
}

func (s *natsServer) restart() {
	s.t.Helper()
	s.kill()
	s.start()
}

// freePorts returns ports at which nobody listens. They are below those that the system gives
// to those who dial.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for tries := 0; len(ports) < n; tries++ {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(10_000)))
		if err != nil {
			if tries > 100 {
				t.Fatal(err)
			}
			continue
		}
		defer ln.Close() // when there are all
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		ports = append(ports, port)
	}
	return ports
}
