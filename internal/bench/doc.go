// Command bench measures wirecall beside what a Go user would take instead, on
// the same work, in one run.
//
// Each sample is made by two fresh processes, a server and a client, which
// know one peer: parent, server and client talk over net/rpc (child.go). The
// client dials, warms up, asks the server for its usage, works, asks again, and
// reports a [Sample] (measure.go). All calls and items that a sample counts
// begin and end between the two readings, so what a call costs is exact.
//
// A run is a plan (plan.go): rounds, in each every work, in each every peer in
// random order. What is reported is a ratio between two peers within a round,
// seconds apart, and then the median of the rounds with the least and the most
// (stats.go), so that what else the machine does meets both.
//
//	file            holds
//	work.go         the values, and the list of works
//	peer.go         what a peer can do; wirecall.go, grpc.go, … one peer each;
//	                floor.go and floorconn.go the least that does the same
//	child.go        the processes and how they talk
//	usage.go        what a process has used
//	measure.go      calls and streams
//	beside.go       calls beside a stream or an upload on one connection
//	load.go         calls at a fixed rate, whether or not they come back
//	idle.go         connections that do nothing
//	fanout.go       events that go to everyone; loop.go has loops that do no more
//	costs.go        what observers and the like cost wirecall
//	plan.go         which samples, in which order, how long that takes
//	stats.go        medians, ratios, spreads
//	report.go       what is printed, as tables (table.go)
//	chart.go        charts as SVG; plot.go says which
//	publish.go      all of it at once
//
// README.md says what is measured and how to read it.
package main
