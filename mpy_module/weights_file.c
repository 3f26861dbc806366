/* model.ttw: from a path or a buffer, checked against this build. */
#include "binding.h"

uint32_t tt_crc32(uint32_t crc, const uint8_t *data, size_t length) {
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

/* The payload behind a header that belongs to this very build; else ValueError. */
static const uint8_t *tt_check_weights(const uint8_t *data, size_t length) {
    if (length < TT_FILE_BYTES) {
        tt_refuse_size(MP_QSTR_weights, TT_FILE_BYTES, length);
    }
    if (data[0] != 'T' || data[1] != 'T' || data[2] != 'W' || data[3] != '1') {
        tt_refuse("weights: not a model.ttw");
    }
    if (((uintptr_t)data & 3u) != 0) {
        tt_refuse("weights: not aligned to 4 bytes; pass a copy: bytes(weights)");
    }
    const tt_weights_header *header = (const void *)data;
    if (header->abi != TT_ABI || header->hash_low != TT_MODEL_HASH_LOW ||
        header->hash_high != TT_MODEL_HASH_HIGH || header->payload_bytes != TT_WEIGHTS_BYTES) {
        tt_refuse("weights: of another build; copy tinytrain.mpy and model.ttw of the same build");
    }
    data += sizeof(tt_weights_header);
    if (tt_crc32(0, data, TT_WEIGHTS_BYTES) != header->payload_crc) {
        tt_refuse("weights: damaged (CRC differs); copy model.ttw again");
    }
    return data;
}

size_t tt_read(mp_obj_t file, uint8_t *to, size_t length) {
    const mp_stream_p_t *stream = mp_get_stream_raise(file, MP_STREAM_OP_READ);
    size_t done = 0;
    while (done < length) {
        int error = 0;
        mp_uint_t got = stream->read(file, to + done, length - done, &error);
        if (got == MP_STREAM_ERROR) {
            mp_raise_OSError(error);
        }
        if (got == 0) {
            break;
        }
        done += got;
    }
    return done;
}

mp_obj_t tt_call_os(qstr function, size_t count, const mp_obj_t *args) {
    return mp_call_function_n_kw(tt_import(MP_QSTR_os, function), count, 0, args);
}

static bool tt_is_in(mp_obj_t container, mp_obj_t item) {
    return mp_binary_op(MP_BINARY_OP_IN, item, container) == mp_const_true;
}

bool tt_is_listed(mp_obj_t folder, mp_obj_t name) {
    return tt_is_in(tt_call_os(MP_QSTR_listdir, 1, &folder), name);
}

/* A plain name that the current folder lacks is looked for in the ROMFS. */
static mp_obj_t tt_find(mp_obj_t path) {
    if (tt_is_in(path, tt_text("/")) || tt_is_listed(tt_text(""), path) ||
        !tt_is_listed(tt_text("/"), tt_text("rom")) || !tt_is_listed(tt_text("/rom"), path)) {
        return path;
    }
    return tt_format("/rom/%s", 1, &path);
}

/* Weights in a file: in place if the file system maps it to memory (ROMFS), else read to RAM. */
static void tt_load_file(tt_trainer *self, mp_obj_t path) {
    mp_obj_t args[] = {tt_find(path), MP_OBJ_NEW_QSTR(MP_QSTR_rb)};
    mp_obj_t file = mp_call_function_n_kw(tt_builtin(MP_QSTR_open), 2, 0, args);
    mp_buffer_info_t view;
    self->in_place = mp_get_buffer(file, &view, MP_BUFFER_READ);
    if (self->in_place) {
        self->keep = MP_OBJ_TO_PTR(file);
    } else {
        view.buf = self->keep = tt_allocate(TT_FILE_BYTES);
        view.len = tt_read(file, view.buf, TT_FILE_BYTES);
        mp_call_function_n_kw(mp_load_attr(file, MP_QSTR_close), 0, 0, NULL);
    }
    self->weights = tt_check_weights(view.buf, view.len);
}

static void tt_load_buffer(tt_trainer *self, mp_obj_t buffer) {
    mp_buffer_info_t view;
    if (!mp_get_buffer(buffer, &view, MP_BUFFER_READ)) {
        tt_refuse_type("weights: path or buffer expected");
    }
    self->in_place = true;
    self->keep = MP_OBJ_TO_PTR(buffer);
    self->weights = tt_check_weights(view.buf, view.len);
}

#if TT_BUILTIN_WEIGHTS
extern const uint8_t tt_builtin_weights[TT_FILE_BYTES]; /* model.ttw, aligned to 4 bytes */
#endif

/* args: a path, a buffer or, with weights in the firmware, nothing. */
void tt_load_weights(tt_trainer *self, size_t n_args, const mp_obj_t *args) {
#if TT_BUILTIN_WEIGHTS
    if (n_args == 0) {
        self->in_place = true;
        self->keep = NULL;
        self->weights = tt_check_weights(tt_builtin_weights, TT_FILE_BYTES);
        return;
    }
#endif
    (void)n_args;
    if (tt_is_str(args[0])) {
        tt_load_file(self, args[0]);
    } else {
        tt_load_buffer(self, args[0]);
    }
}
