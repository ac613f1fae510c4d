/*
 * tkrzw's TinyDBM, a hash table in memory, and HashDBM, one in a file that is mapped, both with
 * chaining and locks of their own, behind the benchmark's interface. No C++ exception leaves this
 * file: what cannot be done is PEER_FAILED.
 */
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tkrzw_dbm_hash.h>
#include <tkrzw_dbm_tiny.h>

#include "peer.h"

namespace
{

/* Their tables do not grow by themselves, so they are given the number of keys. With two buckets
 * per key gets take about 10 % and misses 25 % less than with one, and writes no longer. */
constexpr size_t kBucketsPerKey = 2;

/* What is durable takes a Synchronize() of HashDBM behind every write. */
struct HashStore {
    tkrzw::HashDBM dbm;
    bool durable = false;
};

template <typename Store> struct Session {
    Store *store;
    std::string value; /* reused: after the first read it does not allocate */
};

enum peer_status StatusOf(const tkrzw::Status &status)
{
    if (status == tkrzw::Status::SUCCESS) {
        return PEER_OK;
    }
    if (status == tkrzw::Status::NOT_FOUND_ERROR) {
        return PEER_ABSENT;
    }
    std::cerr << "tkrzw: " << status << '\n';
    return PEER_FAILED;
}

std::string_view ViewOf(const uint8_t *key)
{
    return {reinterpret_cast<const char *>(key), WORKLOAD_KEY_BYTES};
}

std::string_view ViewOf(const struct peer_bytes &bytes)
{
    return {static_cast<const char *>(bytes.data), bytes.length};
}

const char *Version()
{
    return tkrzw::PACKAGE_VERSION;
}

tkrzw::TinyDBM &DbmOf(tkrzw::TinyDBM *store)
{
    return *store;
}

tkrzw::HashDBM &DbmOf(HashStore *store)
{
    return store->dbm;
}

tkrzw::Status MakeDurable(const tkrzw::TinyDBM *)
{
    return tkrzw::Status(tkrzw::Status::SUCCESS);
}

tkrzw::Status MakeDurable(HashStore *store)
{
    return store->durable ? store->dbm.Synchronize(true) : tkrzw::Status(tkrzw::Status::SUCCESS);
}

void *TinyOpen(const struct peer_setup *setup)
{
    try {
        return new tkrzw::TinyDBM(static_cast<int64_t>(setup->keys_expected * kBucketsPerKey));
    } catch (const std::exception &) {
        return nullptr;
    }
}

void TinyClose(void *store)
{
    delete static_cast<tkrzw::TinyDBM *>(store);
}

/* The durable one has what tkrzw's documentation says under "Settings for Higher Durability". */
void *HashOpen(const struct peer_setup *setup)
{
    HashStore *store = nullptr;
    try {
        tkrzw::HashDBM::TuningParameters parameters;
        parameters.num_buckets = static_cast<int64_t>(setup->keys_expected * kBucketsPerKey);
        if (setup->durable) {
            parameters.update_mode = tkrzw::HashDBM::UPDATE_APPENDING;
            parameters.restore_mode = tkrzw::HashDBM::RESTORE_SYNC;
        }
        store = new HashStore;
        store->durable = setup->durable;
        const int32_t options =
            setup->durable ? tkrzw::File::OPEN_SYNC_HARD : tkrzw::File::OPEN_DEFAULT;
        const tkrzw::Status status = store->dbm.OpenAdvanced(
            std::string(setup->folder) + "/records.tkh", true, options, parameters);
        if (StatusOf(status) == PEER_OK) {
            return store;
        }
    } catch (const std::exception &) {
        std::cerr << "tkrzw: no memory to open a file\n";
    }
    delete store;
    return nullptr;
}

void HashClose(void *context)
{
    auto *store = static_cast<HashStore *>(context);
    (void)StatusOf(store->dbm.Close()); /* it is told, and there is nothing else to do */
    delete store;
}

template <typename Store> void *SessionOpen(void *store)
{
    return new (std::nothrow) Session<Store>{static_cast<Store *>(store), {}};
}

template <typename Store> void SessionClose(void *session)
{
    delete static_cast<Session<Store> *>(session);
}

template <typename Store>
enum peer_status Get(void *context, const peer_key key, struct peer_bytes *value)
try {
    auto *session = static_cast<Session<Store> *>(context);
    const tkrzw::Status status = DbmOf(session->store).Get(ViewOf(key), &session->value);
    value->data = session->value.data();
    value->length = session->value.size();
    return StatusOf(status);
} catch (const std::exception &) {
    return PEER_FAILED;
}

template <typename Store>
enum peer_status Set(void *context, const peer_key key, struct peer_bytes value)
try {
    auto *session = static_cast<Session<Store> *>(context);
    tkrzw::Status status = DbmOf(session->store).Set(ViewOf(key), ViewOf(value));
    status |= MakeDurable(session->store);
    return StatusOf(status);
} catch (const std::exception &) {
    return PEER_FAILED;
}

template <typename Store> enum peer_status Remove(void *context, const peer_key key)
try {
    auto *session = static_cast<Session<Store> *>(context);
    tkrzw::Status status = DbmOf(session->store).Remove(ViewOf(key));
    status |= MakeDurable(session->store);
    return StatusOf(status);
} catch (const std::exception &) {
    return PEER_FAILED;
}

/* All keys are locked while they are written. */
enum peer_status SetMany(void *context, const peer_key *keys, const struct peer_bytes *values,
                         size_t count)
try {
    HashStore *store = static_cast<Session<HashStore> *>(context)->store;
    std::vector<tkrzw::DBM::RecordProcessorSet> processors;
    std::vector<std::pair<std::string_view, tkrzw::DBM::RecordProcessor *>> pairs;
    processors.reserve(count);
    pairs.reserve(count);
    for (size_t i = 0; i < count; i++) {
        tkrzw::Status *const told_of_duplicates = nullptr;
        processors.emplace_back(told_of_duplicates, ViewOf(values[i]), true, nullptr);
        pairs.emplace_back(ViewOf(keys[i]), &processors.back());
    }
    tkrzw::Status status = store->dbm.ProcessMulti(pairs, true);
    status |= MakeDurable(store);
    return StatusOf(status);
} catch (const std::exception &) {
    return PEER_FAILED;
}

} // namespace

extern "C" const struct peer peer_tkrzw = {
    "tkrzw TinyDBM",
    Version,
    nullptr,
    TinyOpen,
    TinyClose,
    SessionOpen<tkrzw::TinyDBM>,
    SessionClose<tkrzw::TinyDBM>,
    Get<tkrzw::TinyDBM>,
    Set<tkrzw::TinyDBM>,
    Remove<tkrzw::TinyDBM>,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

extern "C" const struct peer peer_hashdbm = {
    "HashDBM",
    Version,
    "2 buckets a key, mapped file, in place; durable: appending, restore to the last sync, "
    "Synchronize(hard) behind each write",
    HashOpen,
    HashClose,
    SessionOpen<HashStore>,
    SessionClose<HashStore>,
    Get<HashStore>,
    Set<HashStore>,
    Remove<HashStore>,
    SetMany,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};
