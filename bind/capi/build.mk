# The C library: included by the Makefile of the repository, paths are relative to that.

CAPI_SO      := $(BUILD)/libpeerlink.so
CAPI_A       := $(BUILD)/libpeerlink.a
CAPI_SOURCES := $(shell find core -name '*.go' -not -name '*_test.go') $(filter-out bind/capi/fold_gen.go,$(wildcard bind/capi/*.go)) \
	$(wildcard bind/capi/*.c bind/capi/*.h) go.mod go.sum
CAPI_VERSION  = $(shell sed -n 's/.*PLQ_VERSION "\(.*\)".*/\1/p' bind/capi/plq.h)

# Only pl_* is visible. By -extldflags: in CGO_LDFLAGS the linker would see the script twice.
CAPI_EXTLD := -Wl,--version-script=$(CURDIR)/bind/capi/peerlink.map -Wl,-soname,libpeerlink.so.0 -Wl,-z,max-page-size=16384

## capi: the C library, shared and static, with header and peerlink.pc
.PHONY: capi
capi: $(CAPI_SO) $(CAPI_A) $(BUILD)/peerlink.h $(BUILD)/peerlink.pc

$(CAPI_SO): $(CAPI_SOURCES) bind/capi/peerlink.map
	CGO_ENABLED=1 $(GO) build -trimpath -buildvcs=false -buildmode=c-shared -ldflags "-s -w -extldflags '$(CAPI_EXTLD)'" -o $@ ./bind/capi
	rm -f $(BUILD)/libpeerlink.h
	ln -sf libpeerlink.so $@.0

$(CAPI_A): $(CAPI_SOURCES)
	CGO_ENABLED=1 $(GO) build -trimpath -buildvcs=false -buildmode=c-archive -ldflags "-s -w" -o $@ ./bind/capi
	rm -f $(BUILD)/libpeerlink.h

$(BUILD)/peerlink.h: bind/capi/peerlink.h
	mkdir -p $(BUILD)
	cp $< $@

# Finds the library where it was built; who installs it passes another prefix.
$(BUILD)/peerlink.pc: bind/capi/plq.h
	mkdir -p $(BUILD)
	printf '%s\n' 'prefix=$${pcfiledir}' 'Name: peerlink' 'Description: Nodes on one network that call each other by name' \
		'Version: $(CAPI_VERSION)' 'Cflags: -I$${prefix}' 'Libs: -L$${prefix} -lpeerlink' 'Libs.private: -lpthread -lresolv' > $@

## capi-test: the C library, from C and C++, with sanitizers
.PHONY: capi-test
capi-test: capi
	@GO=$(GO) BUILD=$(BUILD) bind/capi/test/run.sh
