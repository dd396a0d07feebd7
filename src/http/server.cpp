#include "http/server.h"

#include "net/io.h"
#include "net/tls.h"

