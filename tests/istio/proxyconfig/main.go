// proxyconfig prints what istioctl's proxy-config commands print with -o json, without a cluster.
//
//	proxyconfig CONFIG_DUMP CLUSTERS DIRECTORY
//
// CONFIG_DUMP and CLUSTERS are what Envoy's admin endpoint says at /config_dump?include_eds and /clusters?format=json.
// In DIRECTORY there is a file for each command: listeners.json, routes.json, clusters.json, endpoints.json (of the
// hosts' state) and eds.json (`endpoints --eds`, what they were configured with). `all -o json` prints CONFIG_DUMP.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"istio.io/istio/istioctl/pkg/writer/envoy/clusters"
	"istio.io/istio/istioctl/pkg/writer/envoy/configdump"
)

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: proxyconfig CONFIG_DUMP CLUSTERS DIRECTORY"))
	}
	dump, err := os.ReadFile(os.Args[1])
	fail(err)
	states, err := os.ReadFile(os.Args[2])
	fail(err)
	configuration, hosts := &configdump.ConfigWriter{}, &clusters.ConfigWriter{}
	fail(configuration.Prime(dump))
	fail(hosts.Prime(states))
	for name, print := range map[string]func(io.Writer) error{
		"listeners": func(out io.Writer) error {
			configuration.Stdout = out
			return configuration.PrintListenerDump(configdump.ListenerFilter{}, "json")
		},
		"routes": func(out io.Writer) error {
			configuration.Stdout = out
			return configuration.PrintRouteDump(configdump.RouteFilter{}, "json")
		},
		"clusters": func(out io.Writer) error {
			configuration.Stdout = out
			return configuration.PrintClusterDump(configdump.ClusterFilter{}, "json")
		},
		"eds": func(out io.Writer) error {
			configuration.Stdout = out
			return configuration.PrintEndpoints(configdump.EndpointFilter{}, "json")
		},
		"endpoints": func(out io.Writer) error {
			hosts.Stdout = out
			return hosts.PrintEndpoints(clusters.EndpointFilter{}, "json")
		},
	} {
		file, err := os.Create(filepath.Join(os.Args[3], name+".json"))
		fail(err)
		fail(print(file))
		fail(file.Close())
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxyconfig:", err)
		os.Exit(2)
	}
}
