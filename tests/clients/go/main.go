// The scenario of tests/clients/README.md with the AWS SDK for Go v2.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatalf("%v", err)
	}
	return value
}

func check(condition bool, format string, args ...any) {
	if !condition {
		log.Fatalf(format, args...)
	}
}

// push subscribes, puts a record and returns the data that arrives.
//
// A subscription may break at any time and a consumer then subscribes again. Here it does now and
// then: the SDK lets go of the request's body when the answer is there, and if net/http has not
// finished with that body it takes it for cut short (httptrace: WroteRequest EOF) and closes the
// connection. Ordinary calls have their whole answer by then.
func push(ctx context.Context, client *kinesis.Client, stream, consumer, shard *string) string {
	position := &types.StartingPosition{Type: types.ShardIteratorTypeLatest}
	for tries := 0; tries < 20; tries++ {
		subscription, err := client.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{ConsumerARN: consumer, ShardId: shard,
			StartingPosition: position})
		var inUse *types.ResourceInUseException
		if tries > 0 && errors.As(err, &inUse) {
			time.Sleep(500 * time.Millisecond) // the server has not seen the end of the first yet
			continue
		}
		must(subscription, err)
		if tries == 0 {
			put := must(client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("key-0"), Data: []byte("pushed")}))
			position = &types.StartingPosition{Type: types.ShardIteratorTypeAtSequenceNumber, SequenceNumber: put.SequenceNumber}
		}
		for event := range subscription.GetStream().Events() {
			if member, ok := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); ok && len(member.Value.Records) > 0 {
				subscription.GetStream().Close()
				return string(member.Value.Records[0].Data)
			}
		}
		err = subscription.GetStream().Err()
		check(err != nil && strings.Contains(err.Error(), "use of closed network connection"), "the subscription ended: %v", err)
		log.Printf("subscribing again: %v", err)
	}
	return ""
}

func main() {
	log.SetFlags(log.Lshortfile)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	options := []func(*config.LoadOptions) error{config.WithRetryMaxAttempts(2)}
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		options = append(options, config.WithCustomCABundle(bytes.NewReader(must(os.ReadFile(bundle)))),
			config.WithHTTPClient(awshttp.NewBuildableClient()))
	}
	client := kinesis.NewFromConfig(must(config.LoadDefaultConfig(ctx, options...)))

	suffix := make([]byte, 4)
	must(rand.Read(suffix))
	stream := aws.String(fmt.Sprintf("go-%x", suffix))
	must(client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(2)}))
	waiter := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = time.Second })
	if err := waiter.Wait(ctx, &kinesis.DescribeStreamInput{StreamName: stream}, 30*time.Second); err != nil {
		log.Fatal(err)
	}

	sent := map[string][]byte{}
	var entries []types.PutRecordsRequestEntry
	for i := 0; i < 200; i++ {
		data := make([]byte, 1+i*7)
		must(rand.Read(data))
		key := fmt.Sprintf("key-%d", i)
		sent[key] = data
		if i > 0 {
			entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(key), Data: data})
		}
	}
	one := must(client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("key-0"), Data: sent["key-0"]}))
	many := must(client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: stream, Records: entries}))
	check(*many.FailedRecordCount == 0, "failed records: %d", *many.FailedRecordCount)

	seen := map[string][]byte{}
	for _, shard := range must(client.ListShards(ctx, &kinesis.ListShardsInput{StreamName: stream})).Shards {
		iterator := must(client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: stream, ShardId: shard.ShardId,
			ShardIteratorType: types.ShardIteratorTypeTrimHorizon})).ShardIterator
		last := big.NewInt(0)
		for page := 0; page < 50 && iterator != nil; page++ {
			answer := must(client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(60)}))
			for _, record := range answer.Records {
				number, ok := new(big.Int).SetString(*record.SequenceNumber, 10)
				check(ok && number.Cmp(last) > 0, "sequence numbers must grow")
				last = number
				seen[*record.PartitionKey] = record.Data
			}
			if len(answer.Records) == 0 {
				break
			}
			iterator = answer.NextShardIterator
		}
	}
	check(len(seen) == len(sent), "saw %d of %d records", len(seen), len(sent))
	for key, data := range sent {
		check(bytes.Equal(data, seen[key]), "data of %s differs", key)
	}

	arn := must(client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: stream})).StreamDescriptionSummary.StreamARN
	consumer := must(client.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("fan")})).Consumer
	for tries := 0; ; tries++ {
		described := must(client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: consumer.ConsumerARN}))
		if described.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive {
			break
		}
		check(tries < 100, "consumer did not become ACTIVE")
		time.Sleep(100 * time.Millisecond)
	}
	pushed := push(ctx, client, stream, consumer.ConsumerARN, one.ShardId)
	check(pushed == "pushed", "the subscription gave %q", pushed)

	_, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("no-such-stream")})
	var missing *types.ResourceNotFoundException
	check(errors.As(err, &missing), "expected ResourceNotFoundException, got %v", err)
	must(client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: stream, EnforceConsumerDeletion: aws.Bool(true)}))
	fmt.Println("scenario complete")
}
