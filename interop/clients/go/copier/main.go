// franz-go copying one topic into another in transactions, as a member of a group, until it is ended. One JSON line a transaction.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	bootstrap       = flag.String("bootstrap", "", "")
	input           = flag.String("input", "", "topic to read")
	output          = flag.String("output", "", "topic to write, with as many partitions")
	group           = flag.String("group", "", "")
	transactionalID = flag.String("transactional-id", "", "")
	size            = flag.Int("transaction-size", 200, "records of a transaction, at most")
	timeoutMs       = flag.Int("transaction-timeout", 15000, "ms")
	groupProtocol   = flag.String("group-protocol", "classic", "classic or consumer (KIP-848)")
	pauseMs         = flag.Int("pause", 50, "ms between transactions")
	abortOneIn      = flag.Int("abort-one-in", 8, "how many transactions are aborted without a reason")
)

func main() {
	flag.Parse()
	options := []kgo.Opt{
		kgo.SeedBrokers(*bootstrap),
		kgo.ConsumerGroup(*group),
		kgo.ConsumeTopics(*input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		// Little of each partition at a time, so that transactions lie over several.
		kgo.FetchMaxPartitionBytes(1024),
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(time.Second),
		kgo.TransactionalID(*transactionalID),
		kgo.TransactionTimeout(time.Duration(*timeoutMs) * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}
	if *groupProtocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	session, err := kgo.NewGroupTransactSession(options...)
	end(err)
	total := 0
	for ctx := context.Background(); ; {
		fetches := session.PollRecords(ctx, *size)
		end(fetches.Err())
		if fetches.NumRecords() == 0 {
			continue
		}
		end(session.Begin())
		transaction := []kgo.RecordHeader{{Key: "transaction", Value: fmt.Appendf(nil, "%s-%d", *transactionalID, time.Now().UnixNano())}}
		promise := kgo.AbortingFirstErrPromise(session.Client())
		fetches.EachRecord(func(r *kgo.Record) {
			session.Produce(ctx, &kgo.Record{Topic: *output, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: transaction}, promise.Promise())
		})
		wanted := promise.Err() == nil && rand.IntN(*abortOneIn) != 0
		committed, err := session.End(ctx, kgo.TransactionEndTry(wanted))
		end(err)
		if committed {
			total += fetches.NumRecords()
			fmt.Printf("{\"totalProcessed\":%d}\n", total)
		}
		time.Sleep(time.Duration(*pauseMs) * time.Millisecond)
	}
}

// end ends the program for an error that it cannot go on after: it is started again, and its unfinished transaction is aborted then.
func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
