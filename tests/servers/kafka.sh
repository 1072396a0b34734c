#!/usr/bin/env bash
# Prints the folder with the jars of a Kafka broker for the tests, after fetching them from Maven
# Central when this is the first time. They stay outside the tree:
#   SPOOL_TEST_CACHE   where servers for tests are kept   (XDG_CACHE_HOME or ~/.cache, spool-test)
set -euo pipefail

version=3.9.1
cache=${SPOOL_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spool-test}
libs=$cache/kafka-$version

die() { printf 'kafka: %s\n' "$*" >&2; exit 1; }

# The folder gets its name when it is complete, so that its name is the proof.
if [[ ! -d $libs ]]; then
  command -v mvn >/dev/null || die "needs maven to fetch Kafka $version once; ./dev setup installs it"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetching-XXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  cat >"$work/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>spool.tests</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
END
  # A repository of its own, which goes again: what is on the machine is neither used nor changed.
  (cd "$work" && mvn -q -B -ntp -C -Dmaven.repo.local="$work/repository" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DoutputDirectory="$work/libs" -DincludeScope=runtime) >"$work/log" 2>&1 ||
    die "Kafka $version cannot be fetched from Maven Central: $(grep -m 1 ERROR "$work/log" || tail -n 1 "$work/log")"
  [[ -f $work/libs/kafka_2.13-$version.jar ]] || die "Maven gave no Kafka $version"
  mv -T "$work/libs" "$libs" 2>/dev/null || [[ -d $libs ]] || die "cannot write to $cache"
fi
printf '%s\n' "$libs"
