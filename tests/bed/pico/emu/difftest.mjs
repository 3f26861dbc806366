// Checks of the instructions, for tests/device/test_pico_core.py.
//   node difftest.mjs --rp2040js DIR --bootrom FILE --out FILE    random arithmetic, recorded for another emulator:
//                     [opcode, registers before, flags before, registers after, flags after] each
//   ... --lockstep    random instructions of all kinds: fast-core against the corrected stock core
//   ... --firmware FILE [--flash IMAGE]    start the firmware on both cores side by side
//   --count N         how many instructions
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { NANOS_PER_CYCLE, makeBoard } from './board.mjs';
import { fastStep } from './fast-core.mjs';

const { values: option } = parseArgs({ options: {
  rp2040js: { type: 'string' }, bootrom: { type: 'string' }, out: { type: 'string' }, flash: { type: 'string' },
  lockstep: { type: 'boolean', default: false }, firmware: { type: 'string' },
  count: { type: 'string', default: '200000' } } });
const count = Number(option.count);
const load = option.firmware ? [`0x0:${option.firmware}`] : [];
async function makeCore(fast) {
  const board = await makeBoard({ ...option, load });
  board.step = fast ? fastStep(board.mcu, board.correctedStep) : board.correctedStep;
  return board;
}
const tested = await makeCore(true);

let seed = 12345;
const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed >>> 16;
};
const SPECIAL = [0, 1, 2, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7ffffffe, 0x7fffffff,
  0x80000000, 0x80000001, 0xfffffffe, 0xffffffff];
const value = () => {
  switch (random() % 3) {
    case 0: return SPECIAL[random() % SPECIAL.length];
    case 1: return ((random() << 16) | random()) >>> 0;
    default: return random() & 0xff;
  }
};
const CODE = 0x20000100, STACK = 0x20010000, WINDOW = 0x20008000, WINDOW_SIZE = 0x1000;
const flags = (core) => (core.N ? 8 : 0) | (core.Z ? 4 : 0) | (core.C ? 2 : 0) | (core.V ? 1 : 0);

function prepare({ mcu, core }, opcode, opcode2, registers, nzcv) {
  core.registers.set(registers);
  [core.N, core.Z, core.C, core.V] = [8, 4, 2, 1].map((bit) => !!(nzcv & bit));
  core.waiting = core.eventRegistered = core.interruptsUpdated = core.pendingSVCall = false;
  mcu.sramView.setUint16(CODE - 0x20000000, opcode, true);
  mcu.sramView.setUint16(CODE - 0x20000000 + 2, opcode2, true);
}

// --- arithmetic, for comparison with unicorn: [fixed bits, random bits]; data processing three times as often
function recordArithmetic() {
  const GROUPS = [[0x0000, 0x7ff], [0x0800, 0x7ff], [0x1000, 0x7ff], [0x1800, 0x7ff], [0x2000, 0x1fff],
    [0x4000, 0x3ff], [0x4000, 0x3ff], [0x4000, 0x3ff], [0x4400, 0x3f], [0x4600, 0x3f], [0x4500, 0x3f],
    [0xb200, 0xff], [0xba00, 0x3f], [0xba40, 0x3f], [0xbac0, 0x3f]];
  const { core } = tested, out = [];
  for (let i = 0; i < count; i++) {
    const [fixed, mask] = GROUPS[random() % GROUPS.length], opcode = fixed | (random() & mask);
    const before = Array.from({ length: 8 }, value), nzcv = random() & 15;
    const high = [8, 9, 10, 11, 12].map((k) => 0x1000 * k);
    prepare(tested, opcode, 0xbf00, [...before, ...high, STACK, 0x12345, CODE], nzcv);
    tested.step(core);
    out.push([opcode, before, nzcv, Array.from(core.registers.slice(0, 8)), flags(core)]);
  }
  fs.writeFileSync(option.out, JSON.stringify(out));
}

// --- fast-core against the corrected stock core
function compare(what, cyclesTested, cyclesStock, stock) {
  const a = tested.core, b = stock.core;
  const same = cyclesTested === cyclesStock && flags(a) === flags(b) && a.registers.every((v, k) => v === b.registers[k]);
  if (same) return;
  const show = (core, cycles) => `${[...core.registers].map((v) => v.toString(16))} flags ${flags(core)} cycles ${cycles}`;
  console.log(`different after ${what}:\n  fast  ${show(a, cyclesTested)}\n  stock ${show(b, cyclesStock)}`);
  process.exit(1);
}

function lockstepRandom(stock) {
  // complaints about stray addresses are part of the game
  console.warn = () => {};
  tested.mcu.logger = stock.mcu.logger = { warn() {}, error() {}, info() {}, debug() {} };
  const window = ({ mcu }) => Buffer.from(mcu.sram.buffer, WINDOW - 0x20000000, WINDOW_SIZE);
  for (let i = 0; i < WINDOW_SIZE; i++) window(tested)[i] = window(stock)[i] = random();
  // half of the registers point into a window of RAM; offsets then reach both aligned and misaligned addresses
  const pointer = () => WINDOW + 0x400 + (random() & 0x7fc) + (random() % 8 ? 0 : random() & 3);
  for (let i = 0; i < count; i++) {
    const wide = random() % 16 === 0; // BL
    const opcode = wide ? 0xf000 | (random() & 0x7ff) : random() % 0xde00, opcode2 = 0xd000 | (random() & 0x2fff);
    const registers = Array.from({ length: 13 }, () => (random() & 1 ? pointer() : value()));
    registers.push(pointer() & ~3, value(), CODE);
    const nzcv = random() & 15;
    for (const board of [tested, stock]) prepare(board, opcode, opcode2, registers, nzcv);
    const what = `${opcode.toString(16)} ${opcode2.toString(16)} with ${registers.map((v) => v.toString(16))}`;
    compare(what, tested.step(tested.core), stock.step(stock.core), stock);
    if (i % 1000 === 0 && !window(tested).equals(window(stock))) {
      console.log(`different memory after ${what}`);
      process.exit(1);
    }
  }
}

function lockstepFirmware(stock) {
  const advance = (board) => {
    const { core, clock } = board;
    if (core.waiting) {
      clock.tick(clock.nextAlarm ? clock.nanosToNextAlarm : 1000);
      if (core.interruptsUpdated && core.checkForInterrupts()) core.waiting = false;
      return 0;
    }
    const cycles = board.step(core);
    clock.tick(cycles * NANOS_PER_CYCLE);
    return cycles;
  };
  for (let i = 0; i < count; i++) {
    const at = tested.core.PC;
    compare(`instruction ${i} at ${at.toString(16)}`, advance(tested), advance(stock), stock);
  }
  if (Buffer.compare(tested.mcu.sram, stock.mcu.sram) !== 0) {
    console.log('different memory after the start of the firmware');
    process.exit(1);
  }
}

if (option.out) recordArithmetic();
else {
  const stock = await makeCore(false);
  if (option.lockstep) lockstepRandom(stock);
  else lockstepFirmware(stock);
}
console.log(`${count} instructions`);
