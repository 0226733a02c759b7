// Functions that the browser tests call in a JupyterLab page. `path` is that of an open notebook.
window.labProbe = {
  runs: {},

  panel(path) {
    const widgets = window.jupyterapp?.shell?.widgets("main") ?? [];
    return [...widgets].find((widget) => widget.context?.path === path) ?? null;
  },

  // In a page that has loaded JupyterLab; what was open before is closed without being saved.
  async open(path) {
    this.closeAll();
    const { commands } = window.jupyterapp;
    await commands.execute("docmanager:open", { path, factory: "Notebook" });
    for (const widget of [...window.jupyterapp.shell.widgets("main")]) {
      if (widget.context?.path !== path) widget.dispose(); // the launcher, opened for an empty area
    }
  },

  closeAll() {
    for (const widget of [...window.jupyterapp.shell.widgets("main")]) widget.dispose();
  },

  codeCells(path) {
    return this.panel(path).content.widgets.filter((cell) => cell.model.type === "code");
  },

  loaded(path) {
    const panel = this.panel(path);
    return Boolean(panel?.context.isReady && panel.content.widgets.length && panel.isVisible);
  },

  // Both conditions matter: a cell run before the kernel is connected silently does nothing.
  kernelIdle(path) {
    const context = this.panel(path)?.sessionContext;
    const kernel = context?.session?.kernel;
    return Boolean(
      context?.isReady && kernel?.connectionStatus === "connected" && kernel.status === "idle",
    );
  },

  startRunAll(path) {
    const run = { settled: false };
    this.runs[path] = run;
    window.jupyterapp.shell.activateById(this.panel(path).id);
    window.jupyterapp.commands
      .execute("notebook:run-all-cells")
      .catch(() => {}) // a cell's error is read from its output
      .finally(() => {
        run.settled = true;
      });
  },

  runAllDone(path) {
    return this.runs[path].settled && this.kernelIdle(path);
  },

  outputs(path) {
    return this.codeCells(path).map((cell) => cell.model.outputs.toJSON());
  },

  executionCounts(path) {
    return this.codeCells(path).map((cell) => cell.model.executionCount);
  },

  // One line per cell for failure messages, such as "[*] await job".
  states(path) {
    const kernel = this.panel(path).sessionContext.session?.kernel;
    const lines = this.codeCells(path).map(({ model }) => {
      const mark = model.executionState === "running" ? "*" : (model.executionCount ?? " ");
      return `[${mark}] ${model.sharedModel.getSource().split("\n")[0]}`;
    });
    return [`kernel ${kernel?.connectionStatus}, ${kernel?.status}`, ...lines].join("\n");
  },

  trusted(path) {
    return this.codeCells(path).every((cell) => cell.model.trusted);
  },

  async save(path) {
    await this.panel(path).context.save();
  },

  async setTheme(name) {
    await window.jupyterapp.commands.execute("apputils:change-theme", { theme: name });
  },

  themed(name) {
    // A splash screen covers the page while the theme's stylesheet loads.
    const covered = document.getElementById("jupyterlab-splash") !== null;
    return document.body.dataset.jpThemeName === name && !covered;
  },

  collapseSidebars() {
    window.jupyterapp.shell.collapseLeft();
    window.jupyterapp.shell.collapseRight();
  },

  scrollToTop(path) {
    this.panel(path).node.querySelector(".jp-WindowedPanel-outer")?.scrollTo(0, 0);
  },

  contentHeight(path) {
    const node = this.panel(path).node;
    const scroller = node.querySelector(".jp-WindowedPanel-outer");
    return node.offsetTop + (scroller?.scrollHeight ?? node.scrollHeight);
  },
};
