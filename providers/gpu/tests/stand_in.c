/* Stands in for NVIDIA's management library: tells what the file says that STAND_IN_GPUS names, read at each call.
 *
 *     driver 550.54.15
 *     card GPU-1 24564 NVIDIA A10          (its memory in MiB)
 *     lost GPU-2 24564 NVIDIA A10          (it is there, and does not answer)
 *     broken                               (the driver itself does not answer)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 2, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9, LOST = 15, UNKNOWN = 999 };

struct card { char word[16], id[96], name[96]; unsigned long long mib; };
struct memory { unsigned version; unsigned long long total, reserved, free, used; };

static struct card at[16];

/* The line of a driver, and the cards into `at`; their count, or -1 without a driver. */
static int read_all(char *driver) {
    const char *path = getenv("STAND_IN_GPUS");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return -1;
    char line[256];
    int count = 0, found = -1;
    while (fgets(line, sizeof line, file)) {
        struct card *card = &at[count];
        if (sscanf(line, "driver %79s", driver) == 1) found = 0;
        else if (strncmp(line, "broken", 6) == 0) { fclose(file); return -2; }
        else if (count < 16 && sscanf(line, "%15s %95s %llu %95[^\n]", card->word, card->id, &card->mib, card->name) == 4)
            count++;
    }
    fclose(file);
    return found < 0 ? -1 : count;
}

int nvmlInit_v2(void) {
    char driver[80];
    int count = read_all(driver);
    return count == -2 ? UNKNOWN : count < 0 ? DRIVER_NOT_LOADED : OK;
}
int nvmlInitWithFlags(unsigned flags) { (void)flags; return nvmlInit_v2(); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error"; }

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    char driver[80];
    if (read_all(driver) < 0) return UNKNOWN;
    snprintf(version, length, "%s", driver);
    return OK;
}
int nvmlDeviceGetCount_v2(unsigned *count) {
    char driver[80];
    int found = read_all(driver);
    *count = found < 0 ? 0 : (unsigned)found;
    return OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct card **device) {
    char driver[80];
    if ((int)index >= read_all(driver)) return NOT_FOUND;
    *device = &at[index];
    return strcmp(at[index].word, "lost") == 0 ? LOST : OK;
}
int nvmlDeviceGetUUID(struct card *card, char *text, unsigned length) { snprintf(text, length, "%s", card->id); return OK; }
int nvmlDeviceGetName(struct card *card, char *text, unsigned length) { snprintf(text, length, "%s", card->name); return OK; }
int nvmlDeviceGetMemoryInfo_v2(struct card *card, struct memory *memory) {
    memory->total = memory->free = card->mib << 20;
    memory->reserved = memory->used = 0;
    return OK;
}
int nvmlDeviceGetMemoryInfo(struct card *card, unsigned long long *memory) {
    memory[0] = memory[1] = card->mib << 20;
    memory[2] = 0;
    return OK;
}
