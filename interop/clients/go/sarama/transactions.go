package main

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"millrace/interop/jobs"
)

var producers = map[string]sarama.SyncProducer{}

func openProducer(job jobs.Job) (sarama.SyncProducer, error) {
	c := config()
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	c.Producer.Transaction.ID = job.TransactionalID
	c.Producer.Transaction.Timeout = time.Duration(job.TimeoutMs) * time.Millisecond
	return sarama.NewSyncProducer(bootstrap, c)
}

func send(p sarama.SyncProducer, topic string, pairs []jobs.Pair) error {
	messages := []*sarama.ProducerMessage{}
	for _, pair := range pairs {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Partition: pair.Partition, Value: sarama.StringEncoder(pair.Value)})
	}
	err := p.SendMessages(messages)
	if all, ok := err.(sarama.ProducerErrors); ok && len(all) > 0 {
		return all[0].Err
	}
	return err
}

// copier copies each claim's messages in transactions of its own; the producer is shared, so one at a time.
type copier struct {
	job      jobs.Job
	producer sarama.SyncProducer
	mutex    sync.Mutex
	done     jobs.Copied
	last     time.Time
	failure  error
}

func (c *copier) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (c *copier) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *copier) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		batch := []*sarama.ConsumerMessage{message}
		for len(batch) < c.job.Batch {
			select {
			case next, open := <-claim.Messages():
				if open {
					batch = append(batch, next)
					continue
				}
			default:
			}
			break
		}
		for copied := false; !copied; {
			var err error
			if copied, err = c.copy(session, batch); err != nil {
				c.fail(err)
				return err
			}
		}
	}
	return nil
}

// copy does one transaction. false: it was aborted, as the job wanted.
func (c *copier) copy(session sarama.ConsumerGroupSession, batch []*sarama.ConsumerMessage) (bool, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.last = time.Now()
	if err := c.producer.BeginTxn(); err != nil {
		return false, err
	}
	pairs := []jobs.Pair{}
	for _, message := range batch {
		pairs = append(pairs, jobs.Pair{Partition: message.Partition, Value: string(message.Value)})
	}
	if err := send(c.producer, c.job.To, pairs); err != nil {
		return false, err
	}
	metadata := sarama.NewConsumerGroupMetadataFromSession(session, c.job.Group, nil)
	if err := c.producer.AddMessageToTxnWithGroupMetadata(batch[len(batch)-1], metadata, nil); err != nil {
		return false, err
	}
	if c.done.Aborts(c.job) {
		c.done.Aborted++
		return false, c.producer.AbortTxn()
	}
	c.done.Committed++
	return true, c.producer.CommitTxn()
}

func (c *copier) fail(err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.failure = err
}

func (c *copier) isIdle() (bool, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return time.Since(c.last) > time.Duration(c.job.IdleMs)*time.Millisecond, c.failure
}

// txnCopy copies, partition by partition, until nothing came for a while; some transactions are aborted and done again.
func txnCopy(job jobs.Job) (any, error) {
	producer, err := openProducer(job)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	group, err := sarama.NewConsumerGroup(bootstrap, job.Group, groupConfig(job))
	if err != nil {
		return nil, err
	}
	c := &copier{job: job, producer: producer, last: job.Patience()}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for range group.Errors() {
		}
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = group.Consume(ctx, []string{job.From}, c)
		}
	}()
	for {
		idle, err := c.isIdle()
		if idle || err != nil {
			cancel()
			<-ended
			_ = group.Close()
			return c.done, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

var transactionHandlers = jobs.Handlers{
	"txnOpen": func(job jobs.Job) (any, error) {
		p, err := openProducer(job)
		producers[job.Name] = p
		return nil, err
	},
	"txnBegin": func(job jobs.Job) (any, error) { return nil, producers[job.Name].BeginTxn() },
	"txnSend":  func(job jobs.Job) (any, error) { return nil, send(producers[job.Name], job.Topic, job.Pairs) },
	"txnEnd": func(job jobs.Job) (any, error) {
		if job.Commit {
			return nil, producers[job.Name].CommitTxn()
		}
		return nil, producers[job.Name].AbortTxn()
	},
	"txnClose": func(job jobs.Job) (any, error) { return nil, producers[job.Name].Close() },
	"txnCopy":  txnCopy,
}
