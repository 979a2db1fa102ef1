// Sends rounds of events with github.com/segmentio/analytics-go/v3. Arguments and output: ../README.md
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	analytics "github.com/segmentio/analytics-go/v3"
)

// outcome hears from the SDK what became of each event. Its own goroutines call it.
type outcome struct {
	sync.Mutex
	answered int
	errors   []string
}

func (o *outcome) Success(analytics.Message) {
	o.Lock()
	defer o.Unlock()
	o.answered++
}

func (o *outcome) Failure(_ analytics.Message, err error) {
	o.Lock()
	defer o.Unlock()
	o.answered++
	o.errors = append(o.errors, err.Error())
}

func (o *outcome) count() int {
	o.Lock()
	defer o.Unlock()
	return o.answered
}

func main() {
	url, key := os.Args[1], os.Args[2]
	rounds, pause := number(os.Args[3]), time.Duration(number(os.Args[4]))*time.Millisecond
	told := &outcome{errors: []string{}}
	client, err := analytics.NewWithConfig(key, analytics.Config{
		Endpoint:  url,
		BatchSize: 20,
		Interval:  500 * time.Millisecond,
		Callback:  told,
	})
	check(err)

	sent := 0
	call := func(message analytics.Message) {
		check(client.Enqueue(message))
		sent++
	}
	product := analytics.Properties{"product_id": "p1", "category": "shoes", "price": 59.9, "currency": "EUR", "quantity": 1}

	if len(os.Args) > 5 {
		call(analytics.Track{UserId: strings.Repeat("x", 300), Event: "Product Viewed", Properties: product})
	}
	for round := 0; round < rounds; round++ {
		user := fmt.Sprintf("user-%d", round)
		call(analytics.Identify{UserId: user, Traits: analytics.NewTraits().SetName("Ann")})
		call(analytics.Page{UserId: user, Name: "Shoes", Properties: analytics.NewProperties().SetURL("https://shop.example/shoes?q=1")})
		call(analytics.Screen{UserId: user, Name: "Shoes"})
		call(analytics.Track{UserId: user, Event: "Product Viewed", Properties: product})
		call(analytics.Track{UserId: user, Event: "Product Added", Properties: product})
		order := analytics.Properties{"order_id": fmt.Sprintf("o%d", round), "revenue": 59.9, "currency": "EUR", "products": []analytics.Properties{product}}
		call(analytics.Track{UserId: user, Event: "Order Completed", Properties: order})
		call(analytics.Group{UserId: user, GroupId: "club"})
		call(analytics.Alias{UserId: user, PreviousId: fmt.Sprintf("guest-%d", round)})
		time.Sleep(pause)
	}

	// Closing gives up what failed once: it comes when nothing is on its way any more.
	for told.count() < sent {
		time.Sleep(10 * time.Millisecond)
	}
	check(client.Close())
	line, err := json.Marshal(map[string]interface{}{"sent": sent, "errors": told.errors})
	check(err)
	fmt.Println(string(line))
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
