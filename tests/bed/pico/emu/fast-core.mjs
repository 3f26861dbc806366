// The Cortex-M0+ instructions that programs are made of, executed here instead of in rp2040js, whose decoder tries up
// to eighty conditions one after the other. An opcode is looked up in a table instead, and RAM and flash are accessed
// directly. Everything rare is left to the corrected stock core: other memory, misaligned addresses, exceptions,
// special registers, writes to SP and PC. Flags, results and cycles are the same; difftest.mjs compares both.

const RAM = 0x20, FLASH = 0x10, ROM = 0; // the top bytes of addresses
const ROM_SIZE = 0x4000;

// Thumb encodings: [name, fixed bits, number of low bits that vary]; later entries override earlier ones
const ENCODINGS = [
  ['LSL', 0x0000, 11], ['LSR', 0x0800, 11], ['ASR', 0x1000, 11], ['ADD3', 0x1800, 9], ['SUB3', 0x1a00, 9],
  ['ADDI3', 0x1c00, 9], ['SUBI3', 0x1e00, 9], ['MOVI', 0x2000, 11], ['CMPI', 0x2800, 11], ['ADDI', 0x3000, 11],
  ['SUBI', 0x3800, 11], ['AND', 0x4000, 6], ['EOR', 0x4040, 6], ['LSLR', 0x4080, 6], ['LSRR', 0x40c0, 6],
  ['ASRR', 0x4100, 6], ['ADC', 0x4140, 6], ['SBC', 0x4180, 6], ['RORR', 0x41c0, 6], ['TST', 0x4200, 6],
  ['RSB', 0x4240, 6], ['CMP', 0x4280, 6], ['ORR', 0x4300, 6], ['MUL', 0x4340, 6], ['BIC', 0x4380, 6],
  ['MVN', 0x43c0, 6], ['ADDH', 0x4400, 8], ['CMPH', 0x4500, 8], ['MOVH', 0x4600, 8], ['BX', 0x4700, 7],
  ['LDRL', 0x4800, 11], ['STRR', 0x5000, 9], ['STRHR', 0x5200, 9], ['STRBR', 0x5400, 9], ['LDRSB', 0x5600, 9],
  ['LDRR', 0x5800, 9], ['LDRHR', 0x5a00, 9], ['LDRBR', 0x5c00, 9], ['LDRSH', 0x5e00, 9], ['STR', 0x6000, 11],
  ['LDR', 0x6800, 11], ['STRB', 0x7000, 11], ['LDRB', 0x7800, 11], ['STRH', 0x8000, 11], ['LDRH', 0x8800, 11],
  ['STRSP', 0x9000, 11], ['LDRSP', 0x9800, 11], ['ADR', 0xa000, 11], ['ADDSP', 0xa800, 11], ['SPADD', 0xb000, 7],
  ['SPSUB', 0xb080, 7], ['SXTH', 0xb200, 6], ['SXTB', 0xb240, 6], ['UXTH', 0xb280, 6], ['UXTB', 0xb2c0, 6],
  ['PUSH', 0xb400, 9], ['POP', 0xbc00, 9], ['STM', 0xc000, 11], ['LDM', 0xc800, 11], ['BCOND', 0xd000, 12],
  ['RARE', 0xde00, 9], ['B', 0xe000, 11], ['BL', 0xf000, 11],
];
const RARE = 0;
const K = { RARE };
const KIND = new Uint8Array(65536);
for (const [name, bits, varying] of ENCODINGS) {
  K[name] ??= Object.keys(K).length;
  KIND.fill(K[name], bits, bits + (1 << varying));
}
const { LSL, LSR, ASR, ADD3, SUB3, ADDI3, SUBI3, MOVI, CMPI, ADDI, SUBI, AND, EOR, LSLR, LSRR, ASRR, ADC, SBC, RORR, TST,
  RSB, CMP, ORR, MUL, BIC, MVN, ADDH, CMPH, MOVH, BX, LDRL, STRR, STRHR, STRBR, LDRSB, LDRR, LDRHR, LDRBR, LDRSH, STR,
  LDR, STRB, LDRB, STRH, LDRH, STRSP, LDRSP, ADR, ADDSP, SPADD, SPSUB, SXTH, SXTB, UXTH, UXTB, PUSH, POP, STM, LDM,
  BCOND, B, BL } = K;
const LISTED = Uint8Array.from({ length: 256 }, (_, list) => [...list.toString(2)].filter((bit) => bit === '1').length);

// Returns step(core) for the core of this mcu, with rareStep (correctedStep of core-fixes.mjs) for all the rest.
export function fastStep(mcu, rareStep) {
  const { core: theCore, sram, flash } = mcu, r = theCore.registers, ramSize = sram.length;
  const ram8 = sram, ram16 = new Uint16Array(sram.buffer), ram32 = new Uint32Array(sram.buffer);
  const rom8 = new Uint8Array(mcu.bootrom.buffer), rom16 = new Uint16Array(mcu.bootrom.buffer), rom32 = mcu.bootrom;
  const flash8 = flash, flash16 = new Uint16Array(flash.buffer), flash32 = new Uint32Array(flash.buffer);

  // loads give -1 and stores false where the stock core has to do it
  function load32(a) {
    const offset = a & 0xffffff;
    if ((a & 3) !== 0) return -1;
    if (a >>> 24 === RAM) return offset < ramSize ? ram32[offset >>> 2] : -1;
    if (a >>> 24 === FLASH) return flash32[offset >>> 2];
    return a >>> 24 === ROM && offset < ROM_SIZE ? rom32[offset >>> 2] : -1;
  }
  function load16(a) {
    const offset = a & 0xffffff;
    if ((a & 1) !== 0) return -1;
    if (a >>> 24 === RAM) return offset < ramSize ? ram16[offset >>> 1] : -1;
    if (a >>> 24 === FLASH) return flash16[offset >>> 1];
    return a >>> 24 === ROM && offset < ROM_SIZE ? rom16[offset >>> 1] : -1;
  }
  function load8(a) {
    const offset = a & 0xffffff;
    if (a >>> 24 === RAM) return offset < ramSize ? ram8[offset] : -1;
    if (a >>> 24 === FLASH) return flash8[offset];
    return a >>> 24 === ROM && offset < ROM_SIZE ? rom8[offset] : -1;
  }
  const inRam = (a, size) => a >>> 24 === RAM && (a & (size - 1)) === 0 && (a & 0xffffff) < ramSize;
  function store32(a, value) {
    if (!inRam(a, 4)) return false;
    ram32[(a & 0xffffff) >>> 2] = value;
    return true;
  }
  function store16(a, value) {
    if (!inRam(a, 2)) return false;
    ram16[(a & 0xffffff) >>> 1] = value;
    return true;
  }
  function store8(a, value) {
    if (!inRam(a, 1)) return false;
    ram8[a & 0xffffff] = value;
    return true;
  }
  // count words from a are all in RAM
  const wordsInRam = (a, count) => inRam(a, 4) && (a & 0xffffff) + 4 * count <= ramSize;

  function setNZ(core, value) {
    core.N = value < 0;
    core.Z = value === 0;
    return value;
  }
  function add(core, x, y, carry) {
    const sum = x + y + carry, result = sum | 0;
    core.N = result < 0;
    core.Z = result === 0;
    core.C = sum > 0xffffffff;
    core.V = ((x ^ result) & (y ^ result)) < 0;
    return result;
  }
  function sub(core, x, y) { // x - y = x + ~y + 1
    const result = (x - y) | 0;
    core.N = result < 0;
    core.Z = result === 0;
    core.C = x >= y;
    core.V = ((x ^ y) & (x ^ result)) < 0;
    return result;
  }
  function holds(core, condition) {
    switch (condition) {
      case 0: return core.Z;
      case 1: return !core.Z;
      case 2: return core.C;
      case 3: return !core.C;
      case 4: return core.N;
      case 5: return !core.N;
      case 6: return core.V;
      case 7: return !core.V;
      case 8: return core.C && !core.Z;
      case 9: return !core.C || core.Z;
      case 10: return core.N === core.V;
      case 11: return core.N !== core.V;
      case 12: return core.N === core.V && !core.Z;
      default: return core.N !== core.V || core.Z; // 13; 14 and 15 are UDF and SVC
    }
  }

  // A load or store costs 2 cycles outside of the peripherals (which are rare), a taken branch 2, BL 3.
  return function step(core) {
    if (core.interruptsUpdated) return rareStep(core);
    const at = r[15];
    const op = load16(at & ~1);
    if (op < 0) return rareStep(core);
    const d = op & 7, m = (op >>> 3) & 7, n = (op >>> 6) & 7, d8 = (op >>> 8) & 7, imm8 = op & 0xff;
    const imm5 = (op >>> 6) & 0x1f;
    let next = at + 2, cycles = 1, value = 0, a = 0;
    switch (KIND[op]) {
      case LSL:
        if (imm5) core.C = ((r[m] >>> (32 - imm5)) & 1) === 1;
        r[d] = setNZ(core, r[m] << imm5);
        break;
      case LSR:
        value = imm5 ? r[m] >>> imm5 : 0;
        core.C = ((r[m] >>> (imm5 ? imm5 - 1 : 31)) & 1) === 1;
        r[d] = setNZ(core, value | 0);
        break;
      case ASR:
        value = r[m] >> (imm5 || 31);
        core.C = ((r[m] >>> (imm5 ? imm5 - 1 : 31)) & 1) === 1;
        r[d] = setNZ(core, value);
        break;
      case ADD3: r[d] = add(core, r[m], r[n], 0); break;
      case SUB3: r[d] = sub(core, r[m], r[n]); break;
      case ADDI3: r[d] = add(core, r[m], n, 0); break;
      case SUBI3: r[d] = sub(core, r[m], n); break;
      case MOVI: r[d8] = setNZ(core, imm8); break;
      case CMPI: sub(core, r[d8], imm8); break;
      case ADDI: r[d8] = add(core, r[d8], imm8, 0); break;
      case SUBI: r[d8] = sub(core, r[d8], imm8); break;
      case AND: r[d] = setNZ(core, r[d] & r[m]); break;
      case EOR: r[d] = setNZ(core, r[d] ^ r[m]); break;
      case LSLR:
        value = r[m] & 0xff;
        a = r[d];
        if (value) core.C = value <= 32 && ((a >>> (32 - value)) & 1) === 1;
        r[d] = setNZ(core, value < 32 ? a << value : 0);
        break;
      case LSRR:
        value = r[m] & 0xff;
        a = r[d];
        if (value) core.C = value <= 32 && ((a >>> (value - 1)) & 1) === 1;
        r[d] = setNZ(core, value < 32 ? (a >>> value) | 0 : 0);
        break;
      case ASRR:
        value = r[m] & 0xff;
        a = r[d];
        if (value) core.C = ((a >>> Math.min(value - 1, 31)) & 1) === 1;
        r[d] = setNZ(core, a >> Math.min(value, 31));
        break;
      case RORR:
        value = r[m] & 0xff;
        a = r[d];
        if (value) core.C = ((a >>> ((value - 1) & 31)) & 1) === 1;
        r[d] = setNZ(core, (a >>> (value & 31)) | (a << (-value & 31)));
        break;
      case ADC: r[d] = add(core, r[d], r[m], core.C ? 1 : 0); break;
      case SBC: r[d] = add(core, r[d], ~r[m] >>> 0, core.C ? 1 : 0); break;
      case TST: setNZ(core, r[d] & r[m]); break;
      case RSB: r[d] = sub(core, 0, r[m]); break;
      case CMP: sub(core, r[d], r[m]); break;
      case ORR: r[d] = setNZ(core, r[d] | r[m]); break;
      case MUL: r[d] = setNZ(core, Math.imul(r[d], r[m])); break;
      case BIC: r[d] = setNZ(core, r[d] & ~r[m]); break;
      case MVN: r[d] = setNZ(core, ~r[m]); break;
      case ADDH: case CMPH: case MOVH: {
        const from = (op >>> 3) & 15, to = ((op >>> 4) & 8) | d, kind = KIND[op];
        if (from === 15 || to === 15) return rareStep(core);
        if (kind === CMPH) {
          sub(core, r[to], r[from]);
          break;
        }
        value = kind === ADDH ? r[to] + r[from] : r[from];
        r[to] = to === 13 ? value & ~3 : value;
        break;
      }
      case BX: { // and BLX, by bit 7
        const from = (op >>> 3) & 15;
        value = r[from];
        // addresses from 0xf0000000 return from exceptions
        if (from === 15 || (op & 7) !== 0 || value >>> 28 === 15) return rareStep(core);
        if (op & 0x80) r[14] = next | 1;
        next = value & ~1;
        cycles = 2;
        break;
      }
      case LDRL:
        value = load32(((at + 4) & ~3) + 4 * imm8);
        if (value < 0) return rareStep(core);
        r[d8] = value;
        cycles = 2;
        break;
      case LDRR: case LDR: case LDRSP:
        a = KIND[op] === LDRR ? r[m] + r[n] : KIND[op] === LDR ? r[m] + 4 * imm5 : r[13] + 4 * imm8;
        value = load32(a);
        if (value < 0) return rareStep(core);
        r[KIND[op] === LDRSP ? d8 : d] = value;
        cycles = 2;
        break;
      case LDRHR: case LDRH: case LDRSH:
        value = load16(KIND[op] === LDRH ? r[m] + 2 * imm5 : r[m] + r[n]);
        if (value < 0) return rareStep(core);
        r[d] = KIND[op] === LDRSH ? (value << 16) >> 16 : value;
        cycles = 2;
        break;
      case LDRBR: case LDRB: case LDRSB:
        value = load8(KIND[op] === LDRB ? r[m] + imm5 : r[m] + r[n]);
        if (value < 0) return rareStep(core);
        r[d] = KIND[op] === LDRSB ? (value << 24) >> 24 : value;
        cycles = 2;
        break;
      case STRR: case STR:
        if (!store32(KIND[op] === STR ? r[m] + 4 * imm5 : r[m] + r[n], r[d])) return rareStep(core);
        cycles = 2;
        break;
      case STRSP:
        if (!store32(r[13] + 4 * imm8, r[d8])) return rareStep(core);
        cycles = 2;
        break;
      case STRHR: case STRH:
        if (!store16(KIND[op] === STRH ? r[m] + 2 * imm5 : r[m] + r[n], r[d])) return rareStep(core);
        cycles = 2;
        break;
      case STRBR: case STRB:
        if (!store8(KIND[op] === STRB ? r[m] + imm5 : r[m] + r[n], r[d])) return rareStep(core);
        cycles = 2;
        break;
      case ADR: r[d8] = ((at + 4) & ~3) + 4 * imm8; break;
      case ADDSP: r[d8] = r[13] + 4 * imm8; break;
      case SPADD: r[13] += 4 * (op & 0x7f); break;
      case SPSUB: r[13] -= 4 * (op & 0x7f); break;
      case SXTH: r[d] = (r[m] << 16) >> 16; break;
      case SXTB: r[d] = (r[m] << 24) >> 24; break;
      case UXTH: r[d] = r[m] & 0xffff; break;
      case UXTB: r[d] = r[m] & 0xff; break;
      case PUSH: {
        const withLR = (op >>> 8) & 1, count = LISTED[imm8] + withLR;
        a = r[13] - 4 * count;
        if (!wordsInRam(a, count)) return rareStep(core);
        let word = (a & 0xffffff) >>> 2;
        for (let i = 0, list = imm8; list; i++, list >>>= 1) if (list & 1) ram32[word++] = r[i];
        if (withLR) ram32[word] = r[14];
        r[13] = a;
        cycles = 1 + count;
        break;
      }
      case POP: {
        const withPC = (op >>> 8) & 1, count = LISTED[imm8];
        a = r[13];
        if (!wordsInRam(a, count + withPC)) return rareStep(core);
        let word = (a & 0xffffff) >>> 2;
        if (withPC) {
          value = ram32[word + count];
          if (value >>> 28 === 15) return rareStep(core);
          next = value & ~1;
        }
        for (let i = 0, list = imm8; list; i++, list >>>= 1) if (list & 1) r[i] = ram32[word++];
        r[13] = a + 4 * (count + withPC);
        cycles = 1 + count + 3 * withPC;
        break;
      }
      case STM: case LDM: {
        const count = LISTED[imm8], listed = (imm8 >>> d8) & 1;
        a = r[d8];
        if (!wordsInRam(a, count) || (listed && KIND[op] === STM)) return rareStep(core);
        let word = (a & 0xffffff) >>> 2;
        if (KIND[op] === LDM) for (let i = 0, list = imm8; list; i++, list >>>= 1) { if (list & 1) r[i] = ram32[word++]; }
        else for (let i = 0, list = imm8; list; i++, list >>>= 1) if (list & 1) ram32[word++] = r[i];
        if (!listed) r[d8] = a + 4 * count;
        cycles = 1 + count;
        break;
      }
      case BCOND:
        if (holds(core, (op >>> 8) & 15)) {
          next = at + 4 + ((op << 24) >> 23);
          cycles = 2;
        }
        break;
      case B:
        next = at + 4 + ((op << 21) >> 20);
        cycles = 2;
        break;
      case BL: {
        const low = load16((at & ~1) + 2);
        if (low < 0 || (low & 0xd000) !== 0xd000) return rareStep(core); // MRS, MSR, barriers
        const s = (op >>> 10) & 1, i1 = ~((low >>> 13) ^ s) & 1, i2 = ~((low >>> 11) ^ s) & 1;
        r[14] = (at + 4) | 1;
        next = at + 4 + ((-s << 24) | (i1 << 23) | (i2 << 22) | ((op & 0x3ff) << 12) | ((low & 0x7ff) << 1));
        cycles = 3;
        break;
      }
      default: return rareStep(core);
    }
    r[15] = next;
    return cycles;
  };
}
