/* The public header from C++17: it compiles without warnings, links, and every struct of it can be
 * made and read as one does in C++. */
#include "tarn.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace
{

int faults = 0;

void expect(bool condition, const char *what)
{
    if (condition)
        return;
    std::fprintf(stderr, "expected: %s (last error: %s)\n", what, tarn_last_error()->message);
    faults++;
}

#define EXPECT(condition) expect((condition), #condition)

tarn_slice slice(std::string_view text)
{
    return tarn_slice_of(text.data(), text.size());
}

std::string_view view(tarn_slice slice)
{
    return {static_cast<const char *>(slice.data), slice.length};
}

bool count_names(void *context, tarn_slice name)
{
    EXPECT(view(name) == "cxx");
    ++*static_cast<int *>(context);
    return true;
}

void use_single_keys(tarn_namespace *ns)
{
    tarn_buf value{};
    tarn_record_info info{};
    tarn_pin pin{};
    bool existed = true;
    std::int64_t sum = 0;

    EXPECT(tarn_set(ns, slice("key"), slice("value"), nullptr, &existed) == TARN_OK && !existed);
    EXPECT(tarn_get(ns, slice("key"), &value, &info) == TARN_OK);
    EXPECT(view(tarn_slice_of(value.data, value.length)) == "value");
    EXPECT(info.sequence > 0 && info.content == TARN_CONTENT_BYTES);
    EXPECT(tarn_get_pinned(ns, slice("key"), &pin) == TARN_OK && view(pin.value) == "value");
    tarn_unpin(&pin);
    EXPECT(tarn_increment(ns, slice("counter"), 5, &sum) == TARN_OK && sum == 5);
    EXPECT(tarn_get(ns, slice("absent"), &value, nullptr) == TARN_KEY_NOT_FOUND);
    EXPECT(tarn_last_error()->status == TARN_KEY_NOT_FOUND);
    tarn_buf_release(&value);
}

void use_many_keys(tarn_namespace *ns)
{
    const tarn_slice keys[] = {slice("a"), slice("b")};
    std::vector<tarn_result> results(2);
    tarn_batch_summary summary{};
    tarn_batch *batch = nullptr;
    tarn_buf values{};

    EXPECT(tarn_batch_create(&batch) == TARN_OK);
    EXPECT(tarn_batch_set(batch, keys[0], slice("1")) == TARN_OK);
    EXPECT(tarn_batch_set(batch, keys[1], slice("2")) == TARN_OK);
    EXPECT(tarn_batch_commit(ns, batch, TARN_ALL_OR_NOTHING, results.data(), nullptr, &summary) ==
           TARN_OK);
    EXPECT(summary.processed == 2 && summary.failed == 0);
    tarn_batch_free(batch);
    EXPECT(tarn_get_many(ns, TARN_ALL_OR_NOTHING, keys, 2, results.data(), &values) == TARN_OK);
    EXPECT(view(results[0].value) == "1" && view(results[1].value) == "2");
    tarn_buf_release(&values);
}

void use_cursor_and_stats(tarn_namespace *ns)
{
    tarn_stats stats{};
    tarn_cursor_options options{};
    tarn_cursor *cursor = nullptr;
    tarn_slice key{}, value{};
    std::size_t count = 0;

    options.size = sizeof options;
    EXPECT(tarn_cursor_open(ns, &options, &cursor) == TARN_OK);
    while (tarn_cursor_next(cursor, &key, &value, nullptr) == TARN_OK)
        count++;
    tarn_cursor_close(cursor);
    stats.size = sizeof stats;
    EXPECT(tarn_namespace_stats(ns, &stats, nullptr, 0) == TARN_OK);
    EXPECT(count == 4 && stats.keys == 4 && stats.shards == 8 && stats.options.shards == 8);
}

void use_async(tarn_store *store, tarn_namespace *ns)
{
    std::size_t dispatched = 0;
    int descriptor = -1, told = 0;
    auto done = [](void *context, tarn_status status) {
        *static_cast<int *>(context) += status == TARN_OK;
    };

    EXPECT(tarn_events_descriptor(store, &descriptor) == TARN_OK && descriptor >= 0);
    EXPECT(tarn_set_async(ns, slice("later"), slice("1"), done, &told, nullptr, nullptr) ==
           TARN_OK);
    EXPECT(tarn_delete_async(ns, slice("later"), done, &told) == TARN_OK);
    EXPECT(tarn_events_dispatch(store, 0, &dispatched) == TARN_OK);
    EXPECT(dispatched == 2 && told == 2);
}

void run()
{
    tarn_namespace_options namespace_options{};
    tarn_namespace *ns = nullptr;
    tarn_store *store = nullptr;
    tarn_options options{};
    int names = 0;

    options.size = sizeof options;
    namespace_options.size = sizeof namespace_options;
    namespace_options.shards = 8;
    EXPECT(std::string(tarn_version()).find('.') != std::string::npos);
    EXPECT(std::string(tarn_status_name(TARN_FULL)) == "TARN_FULL");
    EXPECT(tarn_open(nullptr, &options, &store) == TARN_OK);
    EXPECT(tarn_namespace_create(store, slice("cxx"), &namespace_options, &ns) == TARN_OK);
    EXPECT(tarn_namespace_list(store, count_names, &names) == TARN_OK && names == 1);
    if (faults == 0) {
        use_single_keys(ns);
        use_many_keys(ns);
        use_cursor_and_stats(ns);
        use_async(store, ns);
    }
    namespace_options.max_keys = 100;
    EXPECT(tarn_namespace_configure(ns, TARN_SET_MAX_KEYS, &namespace_options) == TARN_OK);
    tarn_namespace_close(ns);
    EXPECT(tarn_close(store) == TARN_OK);
}

} // namespace

int main()
{
    run();
    return faults ? 1 : 0;
}
