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
	subscription := must(client.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{ConsumerARN: consumer.ConsumerARN, ShardId: one.ShardId,
		StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest}}))
	must(client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("key-0"), Data: []byte("pushed")}))
	pushed := ""
	for event := range subscription.GetStream().Events() {
		if member, ok := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); ok && len(member.Value.Records) > 0 {
			pushed = string(member.Value.Records[0].Data)
			break
		}
	}
	check(pushed == "pushed", "the subscription gave %q: %v", pushed, subscription.GetStream().Err())
	subscription.GetStream().Close()

	_, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("no-such-stream")})
	var missing *types.ResourceNotFoundException
	check(errors.As(err, &missing), "expected ResourceNotFoundException, got %v", err)
	must(client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: stream, EnforceConsumerDeletion: aws.Bool(true)}))
	fmt.Println("scenario complete")
}
