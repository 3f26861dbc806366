// Counters, readable by the program on the board as 32-bit words at 0x4f000000 (nothing is there on real silicon):
//   +0 cycles spent in native modules      +4 instructions executed in native modules
//   +8 greatest stack depth in bytes       +12 cycles in all
//   +16 flash sector erases                +20 flash page programs
// Writing any value to +0 clears them. "In native modules" means: at an address inside the GC heap.

export const HARNESS_PAGE = 0x4f000000;

export class Counters {
  #flash;
  #stackTop;
  #base;
  // typed arrays, because each instruction writes here and numbers in objects would be boxed
  cycles = new Float64Array(1);
  native = new Float64Array(2); // cycles, instructions
  minStack = new Uint32Array(1);
  constructor(flash, stackTop) {
    this.#flash = flash;
    this.#stackTop = stackTop;
    this.clear();
  }
  clear() {
    this.native.fill(0);
    this.minStack.fill(0xffffffff);
    this.#base = { cycles: this.cycles[0], erases: this.#flash.erases, programs: this.#flash.programs };
  }
  words() {
    const base = this.#base;
    return [this.native[0], this.native[1], this.#stackTop - this.minStack[0], this.cycles[0] - base.cycles,
      this.#flash.erases - base.erases, this.#flash.programs - base.programs];
  }
}

export function attachHarnessPage(mcu, BasePeripheral, counters) {
  class HarnessPage extends BasePeripheral {
    readUint32(offset) {
      return (counters.words()[offset >> 2] ?? 0) >>> 0;
    }
    writeUint32(offset) {
      if (offset === 0) counters.clear();
    }
  }
  mcu.peripherals[HARNESS_PAGE >>> 12] = new HarnessPage(mcu, 'HARNESS');
}
