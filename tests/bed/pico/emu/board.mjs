// A Raspberry Pi Pico made of rp2040js and the additions of this folder.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { correctedStep } from './core-fixes.mjs';
import { attachFlash } from './nor-flash.mjs';
import { UsbSerial } from './usb-host.mjs';
import { Counters, attachHarnessPage } from './harness-page.mjs';
import { XipCache, attachXipCache } from './xip-cache.mjs';

export const FLASH_SIZE = 2 << 20;
export const NANOS_PER_CYCLE = 8; // 125 MHz
const FLASH_BASE = 0x10000000, STACK_TOP = 0x20042000;

// option: rp2040js (folder), bootrom (file); flash (image file), load (list of OFFSET:FILE), xip (cycles of a miss)
export async function makeBoard(option) {
  const lib = (file) => import(pathToFileURL(path.join(option.rp2040js, 'dist/esm', file)));
  const { RP2040 } = await lib('rp2040.js');
  const { CortexM0Core } = await lib('cortex-m0-core.js');
  const { SimulationClock } = await lib('clock/simulation-clock.js');
  const { USBCDC } = await lib('usb/cdc.js');
  const { BasePeripheral } = await lib('peripherals/peripheral.js');
  const { ConsoleLogger, LogLevel } = await lib('utils/logging.js');

  const clock = new SimulationClock();
  const mcu = new RP2040(clock);
  mcu.logger = new ConsoleLogger(LogLevel.Error);
  // The FIFO between the two cores, which rp2040js has not (it has one core): always a 0 to read and room to write.
  // At each soft reset the firmware resets core 1 and waits for the 0 that core 1's boot ROM then sends.
  const FIFO_ST = 0x50, FIFO_RD = 0x58, VALID_AND_READY = 3, stockSioRead = mcu.sio.readUint32;
  mcu.sio.readUint32 = function (offset, ...rest) {
    if (offset === FIFO_ST) return VALID_AND_READY;
    return offset === FIFO_RD ? 0 : stockSioRead.call(mcu.sio, offset, ...rest);
  };
  const bootrom = fs.readFileSync(option.bootrom);
  mcu.loadBootrom(new Uint32Array(bootrom.buffer, bootrom.byteOffset, bootrom.length / 4));
  if (option.flash) mcu.flash.set(fs.readFileSync(option.flash));
  for (const item of option.load ?? []) {
    const colon = item.indexOf(':');
    mcu.flash.set(fs.readFileSync(item.slice(colon + 1)), Number(item.slice(0, colon)));
  }
  const flash = attachFlash(mcu, BasePeripheral, FLASH_SIZE);
  const usb = new UsbSerial(mcu, USBCDC);
  const counters = new Counters(flash, STACK_TOP);
  attachHarnessPage(mcu, BasePeripheral, counters);
  const cache = option.xip ? new XipCache(Number(option.xip)) : null;
  if (cache) attachXipCache(mcu, BasePeripheral, cache);
  const { core } = mcu;
  core.PC = FLASH_BASE; // the second stage boot loader; the boot ROM's own start-up is skipped
  return { mcu, core, clock, flash, usb, counters, cache, correctedStep: correctedStep(CortexM0Core) };
}
