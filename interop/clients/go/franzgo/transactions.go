package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"millrace/interop/jobs"
)

var producers = map[string]*kgo.Client{}

func transactional(job jobs.Job) []kgo.Opt {
	return []kgo.Opt{
		kgo.TransactionalID(job.TransactionalID),
		kgo.TransactionTimeout(time.Duration(job.TimeoutMs) * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}
}

// txnOpen also asks for the producer id, which fences earlier producers of this transactional id.
func txnOpen(job jobs.Job) (any, error) {
	c, err := client(transactional(job)...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(20000)
	defer cancel()
	if _, _, err := c.ProducerID(ctx); err != nil {
		c.Close()
		return nil, err
	}
	producers[job.Name] = c
	return nil, nil
}

func txnSend(job jobs.Job) (any, error) {
	records := []*kgo.Record{}
	for _, pair := range job.Pairs {
		records = append(records, &kgo.Record{Topic: job.Topic, Partition: pair.Partition, Value: []byte(pair.Value)})
	}
	ctx, cancel := within(20000)
	defer cancel()
	return nil, producers[job.Name].ProduceSync(ctx, records...).FirstErr()
}

func txnEnd(job jobs.Job) (any, error) {
	ctx, cancel := within(20000)
	defer cancel()
	return nil, producers[job.Name].EndTransaction(ctx, kgo.TransactionEndTry(job.Commit))
}

// txnCopy copies, partition by partition, until nothing came for a while; some transactions are aborted and done again.
func txnCopy(job jobs.Job) (any, error) {
	options := append(groupOptions(job), transactional(job)...)
	session, err := kgo.NewGroupTransactSession(append(options, kgo.ConsumeTopics(job.From), kgo.RequireStableFetchOffsets())...)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	done := jobs.Copied{}
	idle := time.Duration(job.IdleMs) * time.Millisecond
	for last := job.Patience(); time.Since(last) < idle; {
		ctx, cancel := within(100)
		fetches := session.PollRecords(ctx, job.Batch)
		cancel()
		if fetches.NumRecords() == 0 {
			continue
		}
		last = time.Now()
		if err := session.Begin(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			session.Produce(context.Background(), &kgo.Record{Topic: job.To, Partition: r.Partition, Value: r.Value}, nil)
		})
		committed, err := session.End(context.Background(), kgo.TransactionEndTry(!done.Aborts(job)))
		if err != nil {
			return nil, err
		}
		if committed {
			done.Committed++
		} else {
			done.Aborted++
		}
	}
	return done, nil
}

var transactionHandlers = jobs.Handlers{
	"txnOpen":  txnOpen,
	"txnBegin": func(job jobs.Job) (any, error) { return nil, producers[job.Name].BeginTransaction() },
	"txnSend":  txnSend,
	"txnEnd":   txnEnd,
	"txnClose": func(job jobs.Job) (any, error) {
		producers[job.Name].Close()
		return nil, nil
	},
	"txnCopy": txnCopy,
}
