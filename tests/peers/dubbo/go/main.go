// Runs the routers of dubbo-go on worlds: one JSON object a line on standard input, with `rules` as texts, and one JSON
// list of answers a line on standard output. Each answer has `counts`, how often which instances were left in `runs`
// runs, and `errors`, the panics.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"

	_ "dubbo.apache.org/dubbo-go/v3/cluster/router/affinity"
	"dubbo.apache.org/dubbo-go/v3/cluster/router/condition"
	"dubbo.apache.org/dubbo-go/v3/cluster/router/tag"
	"dubbo.apache.org/dubbo-go/v3/common"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/common/extension"
	"dubbo.apache.org/dubbo-go/v3/config_center"
	"dubbo.apache.org/dubbo-go/v3/protocol/base"
	"dubbo.apache.org/dubbo-go/v3/protocol/invocation"
	"dubbo.apache.org/dubbo-go/v3/remoting"
)

type instance struct {
	Name, Address, Application string
	Params                     map[string]string
}

type request struct {
	Method, Service string
	Consumer        struct {
		Application, Host string
		Params            map[string]string
	}
	Attachments map[string]string
	Arguments   []any
}

type world struct {
	Service, Application string
	Runs                 int
	Instances            []instance
	Requests             []request
	Rules                []string
}

type answer struct {
	Counts     map[string]int `json:"counts"`
	Errors     []string       `json:"errors"`
	Parameters []any          `json:"parameters"`
}

const (
	tags = iota
	conditions
	affinity
)

var tagged = regexp.MustCompile(`(?m)^\s*tags:`)

func kind(rule string) int {
	switch {
	case tagged.MatchString(rule):
		return tags
	case strings.Contains(rule, "affinityAware:"):
		return affinity
	default:
		return conditions
	}
}

func address(scheme, location, service string, parameters map[string]string) *common.URL {
	var query []string
	for key, value := range parameters {
		query = append(query, key+"="+value)
	}
	sort.Strings(query)
	url, err := common.NewURL(scheme + "://" + location + "/" + service + "?" + strings.Join(query, "&"))
	if err != nil {
		panic(err)
	}
	return url
}

func with(parameters map[string]string, more map[string]string) map[string]string {
	for key, value := range more {
		parameters[key] = value
	}
	return parameters
}

func apply(rule string, left []base.Invoker, consumer *common.URL, call base.Invocation, application string) []base.Invoker {
	event := &config_center.ConfigChangeEvent{
		Key: application + ".tag-router", Value: rule, ConfigType: remoting.EventTypeUpdate,
	}
	switch kind(rule) {
	case tags:
		router, _ := tag.NewTagPriorityRouter()
		router.Process(event)
		return router.Route(left, consumer, call)
	case affinity:
		factory := extension.GetRouterFactories()[constant.AffinityServiceRouterFactoryKey]()
		router, err := factory.NewPriorityRouter(consumer)
		if err != nil {
			panic(err)
		}
		router.(config_center.ConfigurationListener).Process(event)
		return router.Route(left, consumer, call)
	default:
		router := condition.NewServiceRouter()
		router.Process(event)
		return router.Route(left, consumer, call)
	}
}

func left(w world, r request) (names string, failure string) {
	defer func() {
		if reason := recover(); reason != nil {
			failure = fmt.Sprint(reason)
		}
	}()
	service := w.Service
	if r.Service != "" {
		service = r.Service
	}
	consumer := address("consumer", r.Consumer.Host, service, with(map[string]string{
		"application": r.Consumer.Application, "interface": service, "side": "consumer",
	}, r.Consumer.Params))
	byLocation := map[string]string{}
	var invokers []base.Invoker
	for _, each := range w.Instances {
		application := each.Application
		if application == "" {
			application = w.Application
		}
		url := address("tri", each.Address, service, with(map[string]string{
			"application": application, "interface": service, "side": "provider",
		}, each.Params))
		byLocation[url.Location] = each.Name
		invokers = append(invokers, base.NewBaseInvoker(url))
	}
	attachments := map[string]any{}
	for key, value := range r.Attachments {
		attachments[key] = value
	}
	call := invocation.NewRPCInvocation(r.Method, r.Arguments, attachments)
	for phase := tags; phase <= affinity; phase++ {
		for _, rule := range w.Rules {
			if kind(rule) == phase {
				invokers = apply(rule, invokers, consumer, call, w.Application)
			}
		}
	}
	var found []string
	for _, each := range invokers {
		found = append(found, byLocation[each.GetURL().Location])
	}
	return strings.Join(found, " "), ""
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	answers := os.Stdout
	os.Stdout = os.Stderr // dubbo-go logs to standard output
	for lines.Scan() {
		var w world
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			panic(err)
		}
		all := []answer{}
		for _, r := range w.Requests {
			found := answer{map[string]int{}, []string{}, []any{}}
			for run := 0; run < max(w.Runs, 1); run++ {
				names, failure := left(w, r)
				if failure != "" {
					found.Errors = []string{failure}
					break
				}
				found.Counts[names]++
			}
			all = append(all, found)
		}
		text, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(answers, string(text))
	}
}
