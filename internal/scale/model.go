package main

import (
	"fmt"
	"io"
	"math"
	"time"
)

// A model says what a number of nodes uses.
//
//	CPU of all nodes    = deliveries × Delivery + events × (Publish + nodes that follow × Event)
//	CPU of NATS         = events × Stored + events × nodes that follow × Sent
//	messages into NATS  = events
//	messages out        = events × (1 + nodes that follow)
//	memory of a node    = Empty + connections of the node × Connection
type model struct {
	Delivery, Publish, Event time.Duration
	Stored, Sent             time.Duration
	Empty, Connection        float64 // bytes
}

// fit returns the model of three results with as many events each: of one node with few
// followers, of one node with many, and of several nodes with as many.
func fit(few, many, nodes result) model {
	events, more := float64(many.load.Events), float64(nodes.nodes-1)
	delivery := float64(many.nodeCPU-few.nodeCPU) / float64(many.deliveries-few.deliveries)
	event := float64(nodes.nodeCPU-many.nodeCPU) / events / more
	sent := float64(nodes.natsCPU-many.natsCPU) / events / more
	connection := float64(many.resident-few.resident) / float64(many.load.Connections-few.load.Connections)
	return model{
		Delivery:   time.Duration(delivery),
		Publish:    time.Duration(float64(few.nodeCPU)/events - float64(few.deliveries)/events*delivery - event),
		Event:      time.Duration(event),
		Stored:     time.Duration(float64(many.natsCPU)/events - sent),
		Sent:       time.Duration(sent),
		Empty:      float64(few.resident) - float64(few.load.Connections)*connection,
		Connection: connection,
	}
}

// nodeCPU returns what all nodes use of processors.
func (m model) nodeCPU(events, deliveries, following float64) time.Duration {
	return time.Duration(deliveries*float64(m.Delivery) + events*(float64(m.Publish)+following*float64(m.Event)))
}

// natsCPU returns what NATS uses of processors.
func (m model) natsCPU(events, following float64) time.Duration {
	return time.Duration(events*float64(m.Stored) + events*following*float64(m.Sent))
}

// A site is a size that a model is asked about.
type site struct {
	Connections, Nodes float64
	Followers          float64       // of a topic
	Each               time.Duration // from an event of a topic to the next
}

// following returns on how many nodes a topic has followers, if those are anywhere.
func (s site) following() float64 {
	return s.Nodes * (1 - math.Pow(1-1/s.Nodes, s.Followers))
}

// events returns how many events a second there are, if each connection follows one topic.
func (s site) events() float64 {
	return s.Connections / s.Followers / s.Each.Seconds()
}

// predict prints what the sites need.
func (m model) predict(w io.Writer, sites []site) {
	fmt.Fprintf(w, "| connections | nodes | followers of a topic | events/s | deliveries/s | memory a node | processors a node | messages/s out of NATS | processors of NATS |\n")
	fmt.Fprintf(w, "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, s := range sites {
		events, following := s.events(), s.following()
		deliveries := events * s.Followers
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %.1f GB | %.2f | %s | %.2f |\n",
			count(s.Connections), count(s.Nodes), count(s.Followers), count(events), count(deliveries),
			(m.Empty+s.Connections/s.Nodes*m.Connection)/1e9,
			m.nodeCPU(events, deliveries, following).Seconds()/s.Nodes,
			count(events*(1+following)), m.natsCPU(events, following).Seconds())
	}
}

// count returns a number as pages have it, as 1,000.
func count(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
