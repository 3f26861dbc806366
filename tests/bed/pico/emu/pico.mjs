// pico.mjs - a Raspberry Pi Pico in rp2040js with its serial REPL on a TCP port.
//   node pico.mjs --rp2040js DIR --bootrom FILE [--flash IMAGE] [--load OFFSET:FILE]... [--save IMAGE]
//                              [--journal FILE] [--serial FILE]
//                              [--native LO:HI] [--marks FILE] [--xip CYCLES] [--turbo] [--port N]
//   --flash   whole flash image to start from     --load   then put a file at a flash offset
//   --save    write the flash there when it has changed, and at the end
//   --journal append each flash operation: 'E' or 'P', address and length (uint32), the bytes programmed
//   --serial  append what crosses the serial port: 'I' (to the board) or 'O', emulated nanoseconds (float64),
//             number of bytes (uint32), the bytes
//   --native  address range that counts as native modules (harness-page.mjs)
//   --marks   append instructions and cycles in native modules so far where one of them executes MARK
//   --turbo   sleeping takes no wall time
import fs from 'node:fs';
import net from 'node:net';
import { parseArgs } from 'node:util';
import { FLASH_SIZE, NANOS_PER_CYCLE, makeBoard } from './board.mjs';
import { fastStep } from './fast-core.mjs';
import { inFlash } from './xip-cache.mjs';

const { values: option } = parseArgs({ options: {
  rp2040js: { type: 'string' }, bootrom: { type: 'string' }, flash: { type: 'string' },
  load: { type: 'string', multiple: true, default: [] }, save: { type: 'string' }, journal: { type: 'string' }, serial: { type: 'string' },
  native: { type: 'string', default: '0:0' }, marks: { type: 'string' }, xip: { type: 'string' },
  turbo: { type: 'boolean', default: false }, port: { type: 'string', default: '0' } } });

const board = await makeBoard(option);
const { mcu, core, clock, flash, usb, counters, cache } = board;
// the model of the flash cache listens to every access of the stock core
const step = cache ? board.correctedStep : fastStep(mcu, board.correctedStep);

// --- running it --------------------------------------------------------------------------------------
const [nativeLow, nativeHigh] = option.native.split(':').map(Number);
const MARK = 0x46d2; // mov r10, r10
const code = new Uint16Array(mcu.sram.buffer);
const marks = option.marks ? fs.openSync(option.marks, 'a') : null;
const timerAlarms = mcu.peripherals[0x40054].alarms;
const SLEEP_SLICE = 2e6; // ns
let sleepDebt = 0; // time the board has slept and the host not yet, in ns

function runSlice(instructions) {
  const r = core.registers, { cycles: allCycles, native, minStack } = counters;
  for (let n = 0; n < instructions; n++) {
    if (core.waiting) { // WFE or WFI: asleep until an alarm or an interrupt
      let nanos = clock.nextAlarm ? clock.nanosToNextAlarm : SLEEP_SLICE;
      // With --turbo the board's own timed sleeps are skipped; waiting for USB input never is.
      if (!(option.turbo && timerAlarms.some((alarm) => alarm.armed))) {
        nanos = Math.min(nanos, SLEEP_SLICE);
        sleepDebt += nanos;
      }
      clock.tick(nanos);
      if (core.interruptsUpdated && core.checkForInterrupts()) core.waiting = false;
      if (sleepDebt >= SLEEP_SLICE) return;
      continue;
    }
    const pc = r[15] & ~1;
    let cycles = step(core);
    if (cache !== null && inFlash(pc)) cycles += cache.access(pc);
    allCycles[0] += cycles;
    if (pc >= nativeLow && pc < nativeHigh) {
      if (marks !== null && code[(pc & 0xffffff) >>> 1] === MARK) fs.writeSync(marks, `mark ${native[1]} ${native[0]}\n`);
      native[0] += cycles;
      native[1]++;
    }
    if (r[13] < minStack[0]) minStack[0] = r[13];
    clock.nanosCounter += cycles * NANOS_PER_CYCLE;
    const alarm = clock.nextAlarm;
    if (alarm !== null && alarm.nanos <= clock.nanosCounter) clock.tick(0);
  }
}

if (option.journal) {
  const journal = fs.openSync(option.journal, 'a');
  flash.onChange = (kind, address, length, data) => {
    const head = Buffer.alloc(9);
    head.write(kind);
    head.writeUInt32LE(address, 1);
    head.writeUInt32LE(length, 5);
    fs.writeSync(journal, Buffer.concat([head, Buffer.from(data)]));
  };
}

let noteSerial = () => {};
if (option.serial) {
  const file = fs.openSync(option.serial, 'a');
  noteSerial = (kind, data) => {
    const head = Buffer.alloc(13);
    head.write(kind);
    head.writeDoubleLE(clock.nanosCounter, 1);
    head.writeUInt32LE(data.length, 9);
    fs.writeSync(file, Buffer.concat([head, data]));
  };
}

let savedWrites = 0;
function saveFlash() {
  const writes = flash.erases + flash.programs;
  if (!option.save || writes === savedWrites) return;
  savedWrites = writes;
  fs.writeFileSync(option.save, mcu.flash.subarray(0, FLASH_SIZE));
}
if (option.save) setInterval(saveFlash, 1000);

function loop() {
  usb.pump();
  runSlice(100000);
  const sleep = usb.ready ? 0 : sleepDebt;
  sleepDebt = 0;
  if (sleep >= SLEEP_SLICE) setTimeout(loop, sleep / 1e6);
  else setImmediate(loop);
}
for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => { saveFlash(); process.exit(0); });

// --- the serial port ----------------------------------------------------------------------------------
const server = net.createServer((socket) => {
  socket.setNoDelay(true);
  const toSocket = (data) => {
    noteSerial('O', data);
    socket.write(data);
  };
  usb.onData = toSocket;
  socket.on('data', (data) => {
    noteSerial('I', data);
    usb.send(data);
  });
  // the next connection may have come before the end of this one is noticed
  socket.on('close', () => { if (usb.onData === toSocket) usb.onData = () => {}; });
  socket.on('error', () => {});
});
server.listen(Number(option.port), '127.0.0.1', () => {
  // tell the address once the firmware has set its USB port up
  usb.onConnected = () => console.log(`socket://127.0.0.1:${server.address().port}`);
  loop();
});
