// kubed is a kube-apiserver and its etcd in one process. It has no kubelet and no controllers.
//
//	kubed -data DIR -etcd-client PORT -etcd-peer PORT -- KUBE_APISERVER_FLAG...
//
// All of etcd is on loopback. The API server says by /readyz when it serves.
package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	data := flag.String("data", "", "directory for etcd's data")
	client := flag.Int("etcd-client", 0, "port on which etcd serves the API server")
	peer := flag.Int("etcd-peer", 0, "port on which etcd would serve other members")
	flag.Parse()
	if err := run(*data, loopback(*client), loopback(*peer), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "kubed:", err)
		os.Exit(1)
	}
}

func loopback(port int) url.URL {
	return url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
}

func run(data string, client, peer url.URL, flags []string) error {
	config := embed.NewConfig()
	config.Dir = data
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "error"
	config.UnsafeNoFsync = true // nothing has to survive
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer etcd.Close()
	<-etcd.Server.ReadyNotify()
	command := apiserver.NewAPIServerCommand()
	command.SetArgs(append([]string{"--etcd-servers=" + client.String()}, flags...))
	return command.Execute()
}
