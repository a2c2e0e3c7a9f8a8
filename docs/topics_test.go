package docs_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// Market tells prices.
//
//wirecall:service
//wirecall:error topic.GapError
type Market interface {
	// Trades streams the trades of a stock, first those that are stored.
	//
	//wirecall:cursor after=Seq
	Trades(ctx context.Context, stock string, after topic.Seq) (iter.Seq2[topic.Event[Trade], error], error)

	// Price streams the price of a stock as it is now and whenever it is another.
	//
	//wirecall:cursor after=Seq
	Price(ctx context.Context, stock string, after topic.Seq) (iter.Seq2[topic.Event[float64], error], error)

	// Position returns the shares of a stock that all trades have come to until some place,
	// and streams the trades behind it.
	Position(ctx context.Context, stock string) (now Position, trades iter.Seq2[topic.Event[Trade], error], err error)

	// Trade buys or sells. It returns where the trade stands in the stream.
	//
	//wirecall:idempotent
	Trade(ctx context.Context, id, stock string, t Trade) (topic.Seq, error)
}

// A Trade is a number of shares at a price. It is negative for a sale.
type Trade struct {
	Shares int
	Price  float64
}

// A Position is what the trades of a stock have come to, from the first to the one at Seq.
type Position struct {
	Shares int
	Seq    topic.Seq
}

type market struct{ bus topic.Bus }

func (m *market) trades(stock string) *topic.Topic[Trade] {
	return topic.New[Trade](m.bus, topic.Name("trades", stock))
}

func (m *market) positions(stock string) *topic.Topic[Position] {
	return topic.New[Position](m.bus, topic.Name("position", stock))
}

func (m *market) price(stock string) *topic.Topic[float64] {
	return topic.New[float64](m.bus, topic.Name("price", stock))
}

func (m *market) Trades(ctx context.Context, stock string, after topic.Seq) (iter.Seq2[topic.Event[Trade], error], error) {
	return m.trades(stock).Subscribe(ctx, after), nil
}

func (m *market) Price(ctx context.Context, stock string, after topic.Seq) (iter.Seq2[topic.Event[float64], error], error) {
	return m.price(stock).Latest(ctx, after), nil
}

func (m *market) Position(ctx context.Context, stock string) (now Position, trades iter.Seq2[topic.Event[Trade], error], err error) {
	last, _, err := m.positions(stock).Last(ctx)
	if err != nil {
		return now, nil, err
	}
	return last.Value, m.trades(stock).Subscribe(ctx, last.Value.Seq), nil
}

// sum keeps the position of a stock until ctx ends.
func (m *market) sum(ctx context.Context, stock string) error {
	last, _, err := m.positions(stock).Last(ctx)
	if err != nil {
		return err
	}
	now := last.Value
	for e, err := range m.trades(stock).Subscribe(ctx, now.Seq) {
		if err != nil {
			return err
		}
		now = Position{now.Shares + e.Value.Shares, e.Seq}
		if _, err := m.positions(stock).Publish(ctx, now); err != nil {
			return err
		}
	}
	return nil
}

func (m *market) Trade(ctx context.Context, id, stock string, t Trade) (topic.Seq, error) {
	if _, err := m.price(stock).PublishOnce(ctx, id, t.Price); err != nil {
		return "", err
	}
	return m.trades(stock).PublishOnce(ctx, id, t)
}

// newMarket returns a market that keeps the last 10,000 trades of each stock and its
// price.
func newMarket() *market {
	return &market{&topic.Memory{Classes: map[string]topic.Retention{
		"trades":   {Events: 10_000, Bytes: 1 << 20},
		"price":    {Events: 1},
		"position": {Events: 1},
	}}}
}

// claim makes the first who asks the owner of a stock. It returns who that is.
func claim(ctx context.Context, owners *topic.Topic[string], who string) (string, error) {
	_, err := owners.PublishAfter(ctx, "", who)
	if _, taken := errors.AsType[*topic.ConflictError](err); !taken {
		return who, err
	}
	owner, _, err := owners.Last(ctx)
	return owner.Value, err
}

// A subscription whose connection is cut again and again has each event once and in order.
func TestTopicOverCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		m, srv, network := newMarket(), rpc.NewServer(nil), &rpctest.Network{}
		srv.Register(MarketService(m))
		serveInMemory(t, srv, network)
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := NewMarketClient(conn)
		trades, err := client.Trades(t.Context(), "ACME", "")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range n {
				if _, err := client.Trade(t.Context(), fmt.Sprint(i), "ACME", Trade{Shares: i, Price: float64(i)}); err != nil {
					t.Error(err)
				}
			}
		}()
		i := 0
		for e, err := range trades {
			if err != nil {
				t.Fatal(err)
			}
			if e.Value.Shares != i {
				t.Fatalf("trade %d in place of %d", e.Value.Shares, i)
			}
			if i++; i == n {
				break
			}
			if i%50 == 0 {
				network.Cut()
			}
		}
		if cuts := network.Stats().Cuts; cuts < 3 {
			t.Errorf("the connection was cut %d times", cuts)
		}
		prices, err := client.Price(t.Context(), "ACME", "")
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range prices {
			if err != nil || e.Value != n-1 {
				t.Errorf("the price is %v, %v", e.Value, err)
			}
			break
		}
	})
}

// The error of a gap crosses with its type.
func TestTopicGap(t *testing.T) {
	client := NewMarketClient(rpctest.Connect(t.Context(), t, MarketService(newMarket())))
	trades, err := client.Trades(t.Context(), "ACME", "another.7")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range trades {
		if gap, ok := errors.AsType[*topic.GapError](err); !ok || gap.After != "another.7" || gap.Begin == "" {
			t.Errorf("behind an event of another epoch: %v", err)
		}
	}
}

func TestTopicClaim(t *testing.T) {
	owners := topic.New[string](&topic.Memory{}, "owner.ACME")
	for _, who := range []string{"ann", "bob"} {
		if owner, err := claim(t.Context(), owners, who); owner != "ann" || err != nil {
			t.Errorf("%s: %s, %v", who, owner, err)
		}
	}
}

// A position and the trades behind it are all trades, whenever one asks.
func TestTopicSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		m, srv, network := newMarket(), rpc.NewServer(nil), &rpctest.Network{}
		srv.Register(MarketService(m))
		serveInMemory(t, srv, network)
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go m.sum(ctx, "ACME")
		go func() {
			for range n {
				time.Sleep(time.Millisecond)
				m.trades("ACME").Publish(ctx, Trade{Shares: 1})
			}
		}()
		begun := make(map[int]bool)
		for shares := 0; shares < n; {
			time.Sleep(7*time.Millisecond + time.Microsecond)
			now, trades, err := NewMarketClient(conn).Position(t.Context(), "ACME")
			if err != nil {
				t.Fatal(err)
			}
			if now.Shares == n {
				break
			}
			begun[now.Shares] = true
			for e, err := range trades {
				if err != nil {
					t.Fatal(err)
				}
				now = Position{now.Shares + e.Value.Shares, e.Seq}
				if now.Seq.Number() != uint64(now.Shares) { // one each
					t.Fatalf("%d shares after %s", now.Shares, now.Seq)
				}
				if now.Shares == n || now.Shares%3 == 0 {
					break
				}
			}
			shares = now.Shares
		}
		if len(begun) < 5 {
			t.Errorf("began at %v", begun)
		}
		cancel()
		synctest.Wait()
	})
}
