"""PyTorch on scikit-learn's digits: float, post-training and quantization-aware int8"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.ao import quantization as q

study = dict(seeds=20, budgets=[4], extra=[2])

ENGINE = "fbgemm" if "fbgemm" in torch.backends.quantized.supported_engines else "qnnpack"
torch.backends.quantized.engine = ENGINE

x, y = load_digits(return_X_y=True)
order = np.random.RandomState(0).permutation(len(x))  # the data's own order goes by writer
x = torch.tensor(x[order] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
y = torch.tensor(y[order])
x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = q.QuantStub(), q.DeQuantStub()
        self.conv1, self.relu1 = nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()
        self.conv2, self.relu2 = nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(16 * 2 * 2, 10)

    def forward(self, x):
        x = self.pool(self.relu1(self.conv1(self.quant(x))))
        x = self.pool(self.relu2(self.conv2(x)))
        return self.dequant(self.dense(x.flatten(1)))


FUSED = [["conv1", "relu1"], ["conv2", "relu2"]]


def fit(net, seed, epochs):
    """The same examples in the same order for whatever is trained with one seed."""
    drawn = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), 0.003)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x_train), generator=drawn).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x_train[batch]), y_train[batch]).backward()
            optimizer.step()
    return net.eval()


@torch.no_grad()
def scores(net):
    return net(x_test)


def labels():
    return y_test.numpy()


def start(seed, budget):
    torch.manual_seed(seed)
    return fit(Net(), seed, budget)


def arm_float(net):
    return scores(net)


@torch.no_grad()
def arm_ptq(net, seed):
    net = q.fuse_modules(net, FUSED)
    net.qconfig = q.get_default_qconfig(ENGINE)
    q.prepare(net, inplace=True)
    drawn = torch.Generator().manual_seed(seed)
    net(x_train[torch.randperm(len(x_train), generator=drawn)[:200]])  # calibrates
    return scores(q.convert(net))


def arm_qat(net, seed, extra):
    net = q.fuse_modules_qat(net.train(), FUSED)
    net.qconfig = q.get_default_qat_qconfig(ENGINE)
    fit(q.prepare_qat(net, inplace=True), seed + 1_000_000, extra)
    return scores(q.convert(net))


def ptq_after_more(net, seed, extra):
    """The control at equal compute: as many epochs more as QAT, then post-training."""
    return arm_ptq(fit(net, seed + 1_000_000, extra), seed)


arms = {"ptq+k": ptq_after_more}
