// A real API server for tests: Kubernetes' own generic server with its sample API, the etcd it
// stores in inside the same process, and an audit backend that posts to a webhook. Loopback only.
//
//	apiserver --dir DIR --port PORT --etcd-port PORT [flags of the generic server: --audit-…]
//
// It trusts whoever reaches it: requests need no credentials.
package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	"k8s.io/sample-apiserver/pkg/cmd/server"
)

func startEtcd(dir string, port int) error {
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.LogLevel = "error"
	clients, err := url.Parse(fmt.Sprintf("http://127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	peers, err := url.Parse("unix://localhost:0")
	if err != nil {
		return err
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clients}, []url.URL{*clients}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peers}, []url.URL{*peers}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return nil
	case err := <-etcd.Err():
		return err
	case <-time.After(30 * time.Second):
		return fmt.Errorf("etcd is not ready after 30 s")
	}
}

func main() {
	options := server.NewWardleServerOptions(os.Stdout, os.Stderr)
	recommended := options.RecommendedOptions
	recommended.Authentication = nil
	recommended.Authorization = nil
	recommended.CoreAPI = nil
	recommended.Features.EnablePriorityAndFairness = false
	command := server.NewCommandStartWardleServer(genericapiserver.SetupSignalContext(), options, false)
	var dir string
	var port, etcdPort int
	command.Flags().StringVar(&dir, "dir", "", "where everything is kept")
	command.Flags().IntVar(&port, "port", 0, "for the API, with TLS")
	command.Flags().IntVar(&etcdPort, "etcd-port", 0, "for etcd")
	// As the sample's own, but for admission and what it needs of a whole cluster.
	command.RunE = func(c *cobra.Command, _ []string) error {
		if err := startEtcd(dir, etcdPort); err != nil {
			return err
		}
		recommended.Etcd.StorageConfig.Transport.ServerList = []string{fmt.Sprintf("http://127.0.0.1:%d", etcdPort)}
		recommended.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
		recommended.SecureServing.BindPort = port
		recommended.SecureServing.ServerCert.CertDirectory = filepath.Join(dir, "certs")
		recommended.Admission = nil
		config, err := options.Config()
		if err != nil {
			return err
		}
		server, err := config.Complete().New()
		if err != nil {
			return err
		}
		return server.GenericAPIServer.PrepareRun().RunWithContext(c.Context())
	}
	os.Exit(cli.Run(command))
}
