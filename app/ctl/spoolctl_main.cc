#include "app/ctl/cli.h"

int main(int argc, char** argv) { return spool::ctl::RunCtl(argc, argv); }
