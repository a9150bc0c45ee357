// meshd is Istio's control plane over a directory of manifests, without Kubernetes.
//
//	meshd [-listen HOST:PORT] [-debug HOST:PORT] [-mesh FILE] [-namespace NAME] FILE_OR_DIR...
//
// It serves xDS as istiod does: the code is pilot's own, on an API server in memory. When everything in the manifests
// has been taken up, it prints "serving xDS on HOST:PORT". SIGTERM ends it.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/schema/gvr"
	"istio.io/istio/pkg/kube/kclient/clienttest"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/gateway-api/pkg/consts"
	"sigs.k8s.io/yaml"

	"dubbo-mesh.test/istio/manifests"
)

// domain is the cluster's, which the control plane in memory has built in.
const domain = "cluster.local"

// patience is how long a route of the Gateway API may take to become a route of the mesh.
const patience = 10 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve xDS on")
	debug := flag.String("debug", "", "address to serve istiod's /debug pages on; none by default")
	meshFile := flag.String("mesh", "", "file with the mesh's configuration, as in the ConfigMap istio")
	namespace := flag.String("namespace", "default", "namespace of the resources that name none")
	flag.Parse()

	process := &process{}
	configuration, err := readMesh(*meshFile)
	if err != nil {
		process.Fatal(err)
	}
	resources, err := read(*namespace, flag.Args())
	if err != nil {
		process.Fatal(err)
	}
	server := xds.NewFakeDiscoveryServer(process, xds.FakeOptions{
		Configs:                resources.istio,
		KubernetesObjectString: strings.Join(resources.kubernetes, "\n---\n"),
		MeshConfig:             configuration,
		ListenerBuilder:        func() (net.Listener, error) { return net.Listen("tcp", *listen) },
	})
	takeUpRoutes(process, server, resources.routes)
	if *debug != "" {
		serveDebug(process, server, *debug)
	}
	fmt.Println("serving xDS on", server.Listener.Addr())

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	process.cleanUp()
}

func readMesh(file string) (*meshconfig.MeshConfig, error) {
	if file == "" {
		return mesh.DefaultMeshConfig(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return mesh.ApplyMeshConfigDefaults(string(text))
}

// resources are the manifests as the control plane takes them.
type resources struct {
	istio      []config.Config
	kubernetes []string // YAML documents
	routes     []string // the names of Gateway API's routes, as in constants.InternalParentNames
}

func read(namespace string, paths []string) (*resources, error) {
	documents, err := manifests.Read(paths...)
	if err != nil {
		return nil, err
	}
	found := &resources{}
	for _, document := range documents {
		if document.Err != nil {
			return nil, fmt.Errorf("%s: %w", document.File, document.Err)
		}
		object := document.Object
		if object.GetNamespace() == "" && object.GetKind() != "Namespace" {
			object.SetNamespace(namespace) // as kubectl does
		}
		text, err := yaml.Marshal(object)
		if err != nil {
			return nil, err
		}
		group := object.GroupVersionKind().Group
		if strings.HasSuffix(group, ".istio.io") {
			parsed, _, err := crd.ParseInputs(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", document.File, err)
			}
			for _, each := range parsed {
				each.Domain = domain // by which istiod completes short names of hosts
				found.istio = append(found.istio, each)
			}
			continue
		}
		found.kubernetes = append(found.kubernetes, string(text))
		if group == "gateway.networking.k8s.io" && strings.HasSuffix(object.GetKind(), "Route") {
			name := object.GetKind() + "/" + object.GetName() + "." + object.GetNamespace()
			found.routes = append(found.routes, name)
		}
	}
	return found, nil
}

// takeUpRoutes waits until the control plane routes by what the Gateway API's resources say.
func takeUpRoutes(process *process, server *xds.FakeDiscoveryServer, routes []string) {
	if len(routes) == 0 {
		return
	}
	// The definitions of the API server in memory lack the annotation without which pilot ignores their resources.
	for _, definition := range []schema.GroupVersionResource{gvr.GRPCRoute, gvr.HTTPRoute} {
		annotation := map[string]string{consts.BundleVersionAnnotation: consts.BundleVersion}
		clienttest.MakeCRDWithAnnotations(process, server.KubeClient(), definition, annotation)
	}
	deadline := time.Now().Add(patience)
	for missing := ""; ; time.Sleep(time.Millisecond) {
		if missing = firstMissing(server, routes); missing == "" {
			break
		}
		if time.Now().After(deadline) {
			process.Fatalf("the control plane does not route by %s", missing)
		}
	}
	before := server.Discovery.CommittedUpdates.Load()
	server.Discovery.ConfigUpdate(&model.PushRequest{Forced: true})
	for server.Discovery.CommittedUpdates.Load() == before {
		time.Sleep(time.Millisecond)
	}
}

// firstMissing returns a route that none of the virtual services in force was made from.
func firstMissing(server *xds.FakeDiscoveryServer, routes []string) string {
	sources := map[string]bool{}
	for _, service := range server.Env().VirtualServiceController.MergedVirtualServices() {
		for _, source := range strings.Split(service.Annotations[constants.InternalParentNames], ",") {
			sources[source] = true
		}
	}
	for _, route := range routes {
		if !sources[route] {
			return route
		}
	}
	return ""
}

func serveDebug(process *process, server *xds.FakeDiscoveryServer, address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		process.Fatal(err)
	}
	fmt.Println("serving /debug on", listener.Addr())
	go func() {
		if err := http.Serve(listener, server.DiscoveryDebug); err != nil { //nolint:gosec // on loopback, for tests
			process.Fatal(err)
		}
	}()
}
