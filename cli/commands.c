/* All commands: see command.h. */
#include "command.h"

#include <string.h>

extern const struct command command_autosave, command_backup, command_cas, command_check,
    command_compact, command_consume, command_count, command_dump, command_exists, command_get,
    command_help, command_incr, command_insert, command_load, command_mget, command_mrm,
    command_mset, command_ns, command_rm, command_salvage, command_scan, command_set,
    command_snapshot, command_stats, command_sync, command_update, command_version;

const struct command *const commands[] = {
    &command_set,     &command_get,      &command_rm,       &command_insert,
    &command_update,  &command_cas,      &command_consume,  &command_exists,
    &command_incr,    &command_mget,     &command_mset,     &command_mrm,
    &command_scan,    &command_count,    &command_dump,     &command_load,
    &command_ns,      &command_snapshot, &command_autosave, &command_stats,
    &command_sync,    &command_backup,   &command_compact,  &command_check,
    &command_salvage, &command_version,  &command_help,     NULL,
};

const char *command_word(const struct command *command)
{
    const char *space = strrchr(command->name, ' ');

    return space ? space + 1 : command->name;
}

const struct command *command_find(const struct command *group, const char *name)
{
    const struct command *const *among = group ? group->parts : commands;

    for (size_t i = 0; among && among[i]; i++)
        if (strcmp(command_word(among[i]), name) == 0)
            return among[i];
    return NULL;
}
