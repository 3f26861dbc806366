/* Checkpoints: the state of a Trainer in two slots, of which one is valid at any moment.
 *
 * Files: the newest is `path`, the one before `path~`. A save writes `path.new`, moves `path` to
 * `path~`, if it is the newest, and then `path.new` to `path`. Block devices: each half is a slot;
 * the one that is not the newest gets erased and written, the piece with its header last.
 * docs/DESIGN.md has the format; the host's simulator writes the same bytes. */
#include <string.h>

#include "binding.h"

#if TT_LOSS != TT_LOSS_NONE /* else there is nothing to save */

#define TT_PIECE_BYTES 256u       /* a page of NOR flash */
#define TT_SMALL_BLOCK_BYTES 512u /* such blocks are written whole, without an erase before */
#define TT_SAVED_BYTES (sizeof(tt_checkpoint_header) + (size_t)(TT_STATE_BYTES))
/* a loaded state is checked in the arena, if it is large enough, before it replaces the old one */
#define TT_STAGED (TT_ARENA_BYTES >= TT_STATE_BYTES)

enum { TT_BLOCK_COUNT = 4, TT_BLOCK_SIZE = 5, TT_BLOCK_ERASE = 6 };
enum { TT_ENOENT = 2, TT_EIO = 5 };

/* What a slot holds; of two slots without a valid checkpoint the larger value is reported. */
typedef enum { TT_EMPTY, TT_OTHER_FILE, TT_DAMAGED, TT_FOREIGN, TT_NEWER, TT_VALID } tt_verdict;

typedef struct {
    tt_trainer *trainer;
    uint8_t *memory;    /* its memory, which the garbage collector finds here */
    uint32_t turn;      /* and its turn, when all this began */
    mp_obj_t names[2];  /* paths, or 0 and 1 */
    mp_obj_t device;    /* the block device; MP_OBJ_NULL: files */
    size_t block_bytes; /* a power of two, 1 << block_shift */
    size_t block_shift;
    size_t slot_blocks;
    size_t piece_bytes;
    uint8_t *piece;
    mp_obj_t file; /* open for reading */
    bool there[2]; /* files: which exist */
    tt_verdict verdicts[2];
    uint32_t sequences[2];
} tt_slots;

/* ---- calls of MicroPython --------------------------------------------------------------------- */

static mp_obj_t tt_call(mp_obj_t object, qstr method, size_t count, const mp_obj_t *args) {
    return mp_call_function_n_kw(mp_load_attr(object, method), count, 0, args);
}

static TT_NORETURN void tt_raise_os(int error) {
    tt_raise(MP_QSTR_OSError, MP_OBJ_NEW_SMALL_INT(error));
}

static mp_obj_t tt_open(mp_obj_t path, qstr mode) {
    mp_obj_t args[] = {path, MP_OBJ_NEW_QSTR(mode)};
    return mp_call_function_n_kw(tt_builtin(MP_QSTR_open), 2, 0, args);
}

static void tt_close(mp_obj_t file) {
    tt_call(file, MP_QSTR_close, 0, NULL);
}

static size_t tt_ask(mp_obj_t device, mp_int_t operation, size_t argument) {
    mp_obj_t args[] = {MP_OBJ_NEW_SMALL_INT(operation), mp_obj_new_int_from_uint(argument)};
    mp_obj_t answer = tt_call(device, MP_QSTR_ioctl, 2, args);
    return mp_obj_is_small_int(answer) ? (size_t)MP_OBJ_SMALL_INT_VALUE(answer) : 0;
}

/* readblocks or writeblocks of the slot's piece of that number. */
static void tt_transfer(const tt_slots *slots, size_t slot, size_t number, qstr method) {
    size_t at = number * slots->piece_bytes;
    mp_obj_t args[] = {
        mp_obj_new_int_from_uint(slot * slots->slot_blocks + (at >> slots->block_shift)),
        mp_obj_new_bytearray_by_ref(slots->piece_bytes, slots->piece),
        mp_obj_new_int_from_uint(at & (slots->block_bytes - 1)),
    };
    size_t count = slots->piece_bytes == slots->block_bytes ? 2 : 3;
    mp_obj_t answer = tt_call(slots->device, method, count, args);
    if (mp_obj_is_small_int(answer) && answer != MP_OBJ_NEW_SMALL_INT(0)) {
        tt_raise_os(TT_EIO);
    }
}

/* How many blocks a checkpoint takes. */
static size_t tt_blocks(const tt_slots *slots) {
    return ((TT_SAVED_BYTES - 1) >> slots->block_shift) + 1;
}

/* ---- slots ------------------------------------------------------------------------------------ */

static void tt_find_files(tt_slots *slots, mp_obj_t path) {
    slots->names[0] = path;
    slots->names[1] = tt_format("%s~", 1, &path);
    mp_buffer_info_t text;
    mp_get_buffer_raise(path, &text, MP_BUFFER_READ);
    const char *chars = text.buf;
    size_t folder = text.len; /* length up to the last slash */
    while (folder > 0 && chars[folder - 1] != '/') {
        folder--;
    }
    if (folder == text.len) { /* no name */
        tt_raise_os(TT_ENOENT);
    }
    mp_obj_t where = mp_obj_new_str(chars, folder > 1 ? folder - 1 : folder);
    for (size_t i = 0; i < 2; i++) {
        mp_get_buffer_raise(slots->names[i], &text, MP_BUFFER_READ);
        mp_obj_t name = mp_obj_new_str((const char *)text.buf + folder, text.len - folder);
        slots->there[i] = tt_is_listed(where, name);
    }
    slots->piece_bytes = TT_PIECE_BYTES;
}

static void tt_find_blocks(tt_slots *slots, mp_obj_t device) {
    mp_obj_t method[2];
    mp_load_method_maybe(device, MP_QSTR_readblocks, method);
    if (method[0] == MP_OBJ_NULL) {
        tt_refuse_type("path or block device expected");
    }
    slots->device = device;
    slots->slot_blocks = tt_ask(device, TT_BLOCK_COUNT, 0) >> 1;
    size_t size = slots->block_bytes = tt_ask(device, TT_BLOCK_SIZE, 0);
    slots->piece_bytes = size <= TT_SMALL_BLOCK_BYTES ? size : TT_PIECE_BYTES;
    while (slots->block_shift < 31 && (size_t)1 << slots->block_shift < size) {
        slots->block_shift++;
    }
    if (size < sizeof(tt_checkpoint_header) || (size & (size - 1)) != 0 ||
        slots->slot_blocks < tt_blocks(slots)) {
        mp_obj_t values[] = {
            mp_obj_new_int_from_uint(TT_SAVED_BYTES), mp_obj_new_int_from_uint(size)};
        tt_raise(MP_QSTR_ValueError,
            tt_format("2 slots of %d bytes do not fit the device (blocks of %d)", 2, values));
    }
    for (size_t i = 0; i < 2; i++) {
        slots->names[i] = mp_obj_new_int_from_uint(i);
        slots->there[i] = true;
    }
}

/* A step taken in slices is given up: a save wants whole steps. */
static void tt_find_slots(tt_slots *slots, tt_trainer *trainer, mp_obj_t where) {
    tt_fill(slots, 0, sizeof(*slots));
    slots->trainer = trainer;
    slots->memory = trainer->memory;
    slots->turn = ++trainer->turn;
    if (tt_is_str(where)) {
        tt_find_files(slots, where);
    } else {
        tt_find_blocks(slots, where);
    }
    slots->piece = tt_allocate(slots->piece_bytes);
}

/* Read the slot's piece of that number (one after the other, from 0); how many bytes there were. */
static size_t tt_read_piece(tt_slots *slots, size_t slot, size_t number) {
    if (slots->device != MP_OBJ_NULL) {
        tt_transfer(slots, slot, number, MP_QSTR_readblocks);
        return slots->piece_bytes;
    }
    return tt_read(slots->file, slots->piece, slots->piece_bytes);
}

/* The header at the start of the first piece. */
static tt_verdict tt_judge_slot(
    const tt_slots *slots, size_t length, tt_checkpoint_header *header) {
    tt_copy(header, slots->piece, sizeof(*header));
    if (slots->device != MP_OBJ_NULL && header->magic + 1u <= 1u) {
        return TT_EMPTY; /* all bits 0 or 1: nothing was ever written */
    }
    if (length < sizeof(*header) || header->magic != TT_CHECKPOINT_MAGIC) {
        return TT_OTHER_FILE;
    }
    size_t covered = sizeof(*header) - sizeof(header->header_crc);
    if (tt_crc32(0, slots->piece, covered) != header->header_crc) {
        return TT_DAMAGED;
    }
    if (header->version != TT_CHECKPOINT_VERSION) {
        return TT_NEWER;
    }
    bool ours = header->hash_low == TT_STATE_HASH_LOW && header->hash_high == TT_STATE_HASH_HIGH &&
                header->state_bytes == TT_STATE_BYTES;
    return ours ? TT_VALID : TT_FOREIGN;
}

/* Code of a block device or a file system may use the Trainer that is being loaded. */
static void tt_check_turn(const tt_slots *slots) {
    if (slots->trainer->turn != slots->turn) {
        tt_give_up("load given up: the Trainer was used for something else");
    }
}

/* Go through a slot; its state is copied to `state` unless that is NULL. */
static tt_verdict tt_walk(tt_slots *slots, size_t slot, uint8_t *state) {
    tt_checkpoint_header header;
    size_t length = tt_read_piece(slots, slot, 0);
    tt_verdict verdict = tt_judge_slot(slots, length, &header);
    if (verdict != TT_VALID) {
        return verdict;
    }
    slots->sequences[slot] = header.sequence;
    uint32_t crc = 0;
    size_t from = sizeof(header), number = 0;
    for (size_t done = 0; done < TT_STATE_BYTES;) {
        if (from >= length) {
            if (length < slots->piece_bytes) {
                return TT_DAMAGED; /* that was the last piece */
            }
            length = tt_read_piece(slots, slot, ++number);
            from = 0;
            continue;
        }
        size_t count = length - from;
        if (count > TT_STATE_BYTES - done) {
            count = TT_STATE_BYTES - done;
        }
        crc = tt_crc32(crc, slots->piece + from, count);
        if (state != NULL) {
            tt_check_turn(slots);
            tt_copy(state + done, slots->piece + from, count);
        }
        done += count;
        from = length;
    }
    return crc == header.state_crc ? TT_VALID : TT_DAMAGED;
}

static tt_verdict tt_examine(tt_slots *slots, size_t slot, uint8_t *state) {
    if (!slots->there[slot]) {
        return TT_EMPTY;
    }
    if (slots->device != MP_OBJ_NULL) {
        return tt_walk(slots, slot, state);
    }
    slots->file = tt_open(slots->names[slot], MP_QSTR_rb);
    tt_verdict verdict = tt_walk(slots, slot, state);
    tt_close(slots->file);
    return verdict;
}

/* The slot with the newest valid checkpoint; 2: there is none. Sequence numbers wrap around. */
static size_t tt_newest(tt_slots *slots) {
    for (size_t i = 0; i < 2; i++) {
        slots->verdicts[i] = tt_examine(slots, i, NULL);
    }
    if (slots->verdicts[0] != TT_VALID) {
        return slots->verdicts[1] == TT_VALID ? 1 : 2;
    }
    uint32_t ahead = slots->sequences[1] - slots->sequences[0];
    return slots->verdicts[1] == TT_VALID && ahead != 0 && ahead < 0x80000000u;
}

static mp_obj_t tt_found(const tt_slots *slots, size_t slot, uint32_t sequence) {
    mp_obj_t values[] = {slots->names[slot], mp_obj_new_int_from_uint(sequence)};
    return mp_obj_new_tuple(2, values);
}

/* ---- save -------------------------------------------------------------------------------------- */

static void tt_rename(mp_obj_t from, mp_obj_t to) {
    mp_obj_t names[] = {from, to};
    tt_call_os(MP_QSTR_rename, 2, names);
}

/* Bytes of a file; what is not written raises, after the unfinished file was removed. */
static void tt_write(mp_obj_t file, mp_obj_t path, const void *data, size_t length) {
    const mp_stream_p_t *stream = mp_get_stream_raise(file, MP_STREAM_OP_WRITE);
    for (size_t done = 0; done < length;) {
        int error = TT_EIO;
        mp_uint_t count = stream->write(file, (const uint8_t *)data + done, length - done, &error);
        if (count == MP_STREAM_ERROR || count == 0) {
            tt_close(file);
            tt_call_os(MP_QSTR_remove, 1, &path);
            tt_raise_os(error);
        }
        done += count;
    }
}

/* The state, unless code of a block device or a file system has closed the Trainer. */
static const uint8_t *tt_state(const tt_slots *slots) {
    if (slots->trainer->memory == NULL) {
        tt_give_up("save given up: the Trainer was closed");
    }
    return slots->memory;
}

/* Such code may also use the Trainer: then nothing is made valid. */
static void tt_check_unchanged(const tt_slots *slots, const tt_checkpoint_header *header) {
    if (tt_crc32(0, tt_state(slots), TT_STATE_BYTES) != header->state_crc) {
        tt_give_up("save given up: the state has changed meanwhile");
    }
}

static void tt_save_file(const tt_slots *slots, bool keep, const tt_checkpoint_header *header) {
    mp_obj_t path = tt_format("%s.new", 1, &slots->names[0]);
    mp_obj_t file = tt_open(path, MP_QSTR_wb);
    tt_write(file, path, header, sizeof(*header));
    tt_write(file, path, tt_state(slots), TT_STATE_BYTES);
    tt_close(file);
    tt_check_unchanged(slots, header);
    if (keep) {
        tt_rename(slots->names[0], slots->names[1]);
    }
    tt_rename(path, slots->names[0]);
}

static void tt_save_blocks(const tt_slots *slots, size_t slot, const tt_checkpoint_header *header) {
    size_t size = slots->piece_bytes, head = sizeof(*header);
    if (size != slots->block_bytes) {
        for (size_t i = 0; i < tt_blocks(slots); i++) {
            tt_ask(slots->device, TT_BLOCK_ERASE, slot * slots->slot_blocks + i);
        }
    }
    for (size_t number = 1, begin = size;; number++, begin += size) {
        if (begin >= TT_SAVED_BYTES) {
            number = begin = 0; /* the piece with the header comes last */
            tt_check_unchanged(slots, header);
        }
        size_t end = begin + size < TT_SAVED_BYTES ? begin + size : TT_SAVED_BYTES;
        tt_fill(slots->piece, 0xff, size);
        if (number == 0) {
            tt_copy(slots->piece, header, head);
            tt_copy(slots->piece + head, tt_state(slots), end - head);
        } else {
            tt_copy(slots->piece, tt_state(slots) + begin - head, end - begin);
        }
        tt_transfer(slots, slot, number, MP_QSTR_writeblocks);
        if (number == 0) {
            return;
        }
    }
}

mp_obj_t tt_save(tt_trainer *self, mp_obj_t where) {
    tt_slots slots;
    tt_find_slots(&slots, self, where);
    size_t newest = tt_newest(&slots);
    tt_checkpoint_header header = {TT_CHECKPOINT_MAGIC, TT_CHECKPOINT_VERSION, TT_STATE_HASH_LOW,
        TT_STATE_HASH_HIGH, newest < 2 ? slots.sequences[newest] + 1u : 1u, TT_STATE_BYTES,
        tt_crc32(0, tt_state(&slots), TT_STATE_BYTES), 0};
    header.header_crc =
        tt_crc32(0, (const void *)&header, sizeof(header) - sizeof(header.header_crc));
    size_t slot = 0;
    if (slots.device == MP_OBJ_NULL) {
        tt_save_file(&slots, newest == 0, &header);
    } else {
        slot = newest == 0;
        tt_save_blocks(&slots, slot, &header);
    }
    return tt_found(&slots, slot, header.sequence);
}

/* ---- load -------------------------------------------------------------------------------------- */

static const char *tt_explain(tt_verdict verdict) {
    switch (verdict) {
        case TT_NEWER:
            return "checkpoint: of another version";
        case TT_FOREIGN:
            return "checkpoint: of another model or update scheme";
        case TT_DAMAGED:
            return "checkpoint: damaged (cut short, or CRC differs)";
        default:
            return "checkpoint: not a .tts file";
    }
}

mp_obj_t tt_load(tt_trainer *self, mp_obj_t where) {
    tt_slots slots;
    tt_find_slots(&slots, self, where);
    size_t newest = tt_newest(&slots);
    tt_check_turn(&slots);
    if (newest == 2) {
        tt_verdict *found = slots.verdicts;
        tt_verdict worst = found[0] > found[1] ? found[0] : found[1];
        if (worst == TT_EMPTY) {
            tt_raise_os(TT_ENOENT);
        }
        tt_refuse(tt_explain(worst));
    }
    uint8_t *staged = TT_STAGED ? self->memory + TT_ARENA_AT : self->memory;
    self->torn = !TT_STAGED; /* until all of it is there: an interrupt may end this function */
    tt_verdict verdict = tt_examine(&slots, newest, staged);
    tt_check_turn(&slots);
    if (verdict != TT_VALID) {
        if (!TT_STAGED) {
            tt_model_reset(self->weights, self->memory);
            self->torn = false;
        }
        tt_raise_os(TT_EIO); /* it was valid a moment ago */
    }
    if (TT_STAGED) {
        tt_copy(self->memory, staged, TT_STATE_BYTES);
    }
    self->torn = false;
    return tt_found(&slots, newest, slots.sequences[newest]);
}

#endif
